"""What the tokens of known services look like: the table behind `keys`.

A form is (begin, letters, least, most): how a token begins, of which characters the rest is, and how many there are.
The forms are those that secret scanners publish (gitleaks; trufflehog, pkg/detectors), widened
to `most` where services have lengthened their tokens before.
"""

import numpy as np

ANY, WORD, HEX, UPPER = range(4)  # A-Z a-z 0-9 + / - _; the same without + /; hexadecimal; A-Z 0-9
LONGEST_BEGIN = 20

FORMS = (
    # clouds
    ("AKIA", UPPER, 16, 16), ("ASIA", UPPER, 16, 16), ("ABIA", UPPER, 16, 16), ("ACCA", UPPER, 16, 16),  # AWS
    ("ABSK", ANY, 109, 269),  # AWS Bedrock
    ("AIza", WORD, 35, 35), ("GOCSPX-", WORD, 28, 28),  # Google
    ("LTAI", WORD, 16, 24), ("AQVN", WORD, 35, 38), ("dapi", HEX, 32, 34),  # Alibaba, Yandex, Databricks
    ("dop_v1_", HEX, 64, 64), ("doo_v1_", HEX, 64, 64), ("dor_v1_", HEX, 64, 64),  # DigitalOcean
    # Heroku, Fly, Pulumi
    ("HRKU-AA", WORD, 58, 58), ("fo1_", WORD, 43, 43), ("fm2_", ANY, 100, 2000), ("pul-", HEX, 40, 40),
    # code and packages
    ("ghp_", WORD, 36, 255), ("gho_", WORD, 36, 255), ("ghu_", WORD, 36, 255), ("ghs_", WORD, 36, 255),  # GitHub
    ("ghr_", WORD, 36, 255), ("github_pat_", WORD, 60, 255),
    ("glpat-", WORD, 20, 300), ("gldt-", WORD, 20, 300), ("glrt-", WORD, 20, 300), ("glptt-", HEX, 40, 40),  # GitLab
    ("glcbt-", WORD, 20, 300), ("glft-", WORD, 20, 64), ("glimt-", WORD, 25, 64), ("glagent-", WORD, 50, 64),
    ("gloas-", WORD, 64, 64), ("glsoat-", WORD, 20, 64), ("glffct-", WORD, 20, 64), ("GR1348941", WORD, 20, 20),
    ("npm_", WORD, 36, 36), ("pypi-", WORD, 80, 2000), ("rubygems_", HEX, 48, 48), ("CLOJARS_", WORD, 60, 60),
    # Atlassian
    ("dckr_pat_", WORD, 27, 36), ("AKCp", WORD, 69, 69), ("ATATT3", WORD, 180, 255), ("ATCTT3", WORD, 180, 255),
    ("sntrys_", ANY, 60, 500), ("sntryu_", HEX, 64, 64), ("squ_", HEX, 40, 40), ("sqp_", HEX, 40, 40),  # Sentry, Sonar
    ("lin_api_", WORD, 40, 40), ("ntn_", WORD, 46, 46), ("PMAK-", WORD, 59, 59), ("rdme_", WORD, 70, 70),
    # Grafana, New Relic
    ("pnu_", WORD, 36, 36), ("glsa_", WORD, 41, 41), ("glc_", ANY, 32, 400), ("NRAK-", WORD, 27, 27),
    ("pscale_tkn_", WORD, 32, 64), ("pscale_pw_", WORD, 32, 64), ("pscale_oauth_", WORD, 32, 64),
    # models
    # OpenAI, Anthropic; HF; Groq
    ("sk-", WORD, 32, 255), ("hf_", WORD, 30, 60), ("api_org_", WORD, 34, 34), ("gsk_", WORD, 48, 60),
    ("r8_", WORD, 37, 37), ("pplx-", WORD, 48, 56), ("xai-", WORD, 70, 90),  # Replicate, Perplexity, xAI
    # money, mail, messages
    # Stripe
    ("sk_live_", WORD, 16, 255), ("sk_test_", WORD, 16, 255), ("sk_prod_", WORD, 16, 255), ("rk_live_", WORD, 16, 255),
    ("rk_test_", WORD, 16, 255), ("rk_prod_", WORD, 16, 255), ("whsec_", ANY, 24, 64),
    ("shpat_", HEX, 32, 32), ("shpca_", HEX, 32, 32), ("shppa_", HEX, 32, 32), ("shpss_", HEX, 32, 32),  # Shopify
    # Square, EasyPost
    ("sq0atp-", WORD, 22, 60), ("sq0csp-", WORD, 22, 60), ("EAAA", WORD, 56, 64), ("EZAK", WORD, 54, 54),
    ("shippo_live_", HEX, 40, 40), ("shippo_test_", HEX, 40, 40), ("duffel_live_", WORD, 43, 43),
    ("xoxa-", WORD, 20, 255), ("xoxb-", WORD, 20, 255), ("xoxp-", WORD, 20, 255), ("xoxr-", WORD, 20, 255),  # Slack
    ("xoxs-", WORD, 20, 255), ("xoxo-", WORD, 20, 255), ("xoxe-", WORD, 20, 255), ("xapp-", WORD, 20, 255),
    # Twilio, Mailgun, Brevo
    ("SK", HEX, 32, 32), ("key-", HEX, 32, 32), ("xkeysib-", WORD, 81, 81), ("tfp_", WORD, 40, 59),
    ("AGE-SECRET-KEY-1", UPPER, 58, 58), ("ops_eyJ", ANY, 250, 2000),  # age, 1Password
)  # fmt: skip
# Tokens in several parts with dots between: what stands in front of the first dot, and how long the next part is
DOTTED = (
    ("SG", 22, 22),  # SendGrid; a part of 43 follows
    ("hvs", 24, 120), ("hvb", 100, 300),  # HashiCorp Vault
    ("ya29", 20, 300),  # Google's OAuth
    ("dt0c01", 24, 24), ("pt", 40, 44),  # Dynatrace; Doppler: dp.pt.
)  # fmt: skip


def _table(begins: list[str]) -> np.ndarray:
    out = np.zeros((len(begins), LONGEST_BEGIN), np.uint8)
    for row, begin in enumerate(begins):
        out[row, : len(begin)] = np.frombuffer(begin.encode(), np.uint8)
    return out


BEGINS = _table([begin for begin, _, _, _ in FORMS])
SIZES = np.array([(len(begin), letters, least, most) for begin, letters, least, most in FORMS], np.int64)
FRONTS = _table([front for front, _, _ in DOTTED])
FRONT_SIZES = np.array([(len(front), least, most) for front, least, most in DOTTED], np.int64)
FIRST = np.zeros(256, np.bool_)  # bytes that a known token may begin with
FIRST[BEGINS[:, 0]] = True
LETTERS = np.zeros((4, 256), np.bool_)  # which bytes are of which sort
LETTERS[WORD, [*b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]] = True
LETTERS[ANY] = LETTERS[WORD]
LETTERS[ANY, [*b"+/"]] = True
LETTERS[HEX, [*b"0123456789abcdefABCDEF"]] = True
LETTERS[UPPER, [*b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"]] = True

"""What is found for redaction equals its twin of regular expressions; hand-worked cases; time is linear."""

import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.text.ibans import LENGTHS
from pipeline.text.spans import CARD, EMAIL, IBAN, IP, KEY, KINDS, PHONE, USER, replaced, spans
from tests.pipeline.text import accounts_twin, keys_twin
from tests.pipeline.text import spans_twin as twin
from tests.pipeline.text.texts import ANY_TEXT, array

ALL = 127
PIECES = [
    "＠",
    "（at) ",
    "(at)",
    " [at] ",
    "b.org",
    " dot com",
    "[dot]",
    "a.png",
    "xn--a",
    "git",
    ":~",
    "<",
    ">",
    "@media",
    "\n",
    "my ",
    "=",
    "version ",
    "節",
    ">= ",
    "#",
    "1.2.3.4",
    "66.77.88.99",
    ". A",
    "2.5.4.9",
    "T",
    "/",
    "def ",
    ";",
    "{",
    "20210301123456789012",
    "a@b.co",
    "@user",
    "8.8.8.8",
    "2001:4860::1",
    "10.0.0.1",
    "x1",
    "256",
    "::",
    "2fff",
    *"@.:-_ é中ा。",
]
PLANTED = st.lists(st.sampled_from(PIECES) | st.text("aZ09f.:@-_%é中 ", max_size=5), max_size=10).map("".join)
MARKS = [f"<{kind.upper()}>".encode() for kind in KINDS]


def found(text: str, wanted: int = EMAIL | USER | IP | KEY) -> list[tuple[str, str]]:
    data = text.encode()
    rows = spans(array([text]), np.array([wanted], np.uint8))
    return [(KINDS[kind], data[begin:end].decode()) for _, begin, end, kind in rows.tolist()]


@settings(deadline=None, max_examples=200)
@given(PLANTED | ANY_TEXT)
@example("a@b.co@cde.fg")
@example("1.2.3.4-5.6.7.8")
@example("2001:2001:4860::1:")
@example("2001:4860::18.8.8.8")
@example("2001:1:1:1:1:1:1:1::1x")
def test_the_kernel_equals_its_twin_on_any_text(text):
    assert found(text, EMAIL | USER | IP) == twin.spans(text)


BASE64 = "QmFzZTY0IHRleHQgdGhhdCBmaWxscyBhIGxpbmU0MjQy"
KEY_PIECES = [
    "-----BEGIN ",
    "-----BEGIN",
    "-----END ",
    "PRIVATE KEY-----",
    "CERTIFICATE-----",
    "RSA ",
    "eyJ",
    "ghp_",
    "sk-",
    "AKIA",
    "SK",
    "SG.",
    "hvs.",
    "hooks.slack.com/services/",
    "discord.com/api/webhooks/",
    "8Q~",
    ":AA",
    "token: ",
    'api_key="',
    "Bearer ",
    "public",
    "sha512-",
    "base64,",
    "?B?",
    "\\n",
    "\n",
    "wJalrXUtnFEMIK7MDENGbPxRfiCY3q9Zt5",
    "d41d8cd98f00b204e9800998ecf8427e",
    "0123456789",
    "aB3",
    "abcde",
    "xxxxxxxxxxxxxxxxxxxxxxxx",
    BASE64,
    "Zm9vYmFyYmF6cXV4QUJDREVGR0hJSktMTU5PUFFSU1Q4",
    *".:=+/-_~ \"'é中",
]
KEYS = st.lists(st.sampled_from(KEY_PIECES) | st.text("aZ0f-_+/.", max_size=20), max_size=12).map("".join)


@settings(deadline=None, max_examples=300)
@given(KEYS | ANY_TEXT)
@example("-----BEGIN -----BEGIN -----BEGIN -----END -----BEGIN ")
def test_keys_equal_their_twin_on_any_text(text):
    assert [key for _, key in found(text, KEY)] == keys_twin.keys(text)


NUMBERS = [
    "+",
    "00",
    "(",
    ")",
    "0",
    "1",
    "12",
    "123",
    "1234",
    "12345",
    "555",
    "2020",
    "٠١٢٣",
    "１２",
    "०",
    "\u200f",
    "+44",
    "+1",
    "+254",
    "Tel. ",
    "电话",
    "هاتف ",
    "phone:",
    "GB82WEST12345698765432",
    "GB82 WEST 1234 5698 7654 32",
    "NO9386011117947",
    "DE89",
    "4111 1111 1111 1111",
    "378282246310005",
    "3782 822463 10005",
    "6205500000000000004",
    *" -./,:'=%$£€xé中\n\xa0–",
]
NUMBERED = st.lists(st.sampled_from(NUMBERS) | st.text("0123456789 -.", max_size=14), max_size=10).map("".join)


@settings(deadline=None, max_examples=400)
@given(NUMBERED | ANY_TEXT, st.integers(1, 7))
def test_numbers_equal_their_twin_on_any_text(text, which):
    phone, iban, card = bool(which & 1), bool(which & 2), bool(which & 4)
    assert found(text, which * PHONE) == accounts_twin.accounts(text, phone, iban, card)


@settings(deadline=None)
@given(st.lists(PLANTED | KEYS | NUMBERED, max_size=4), st.integers(0, ALL))
def test_nothing_outside_the_spans_changes(texts, wanted):
    rows = spans(array(texts), np.full(len(texts), wanted, np.uint8))
    expected = [text.encode() for text in texts]
    for row, begin, end, kind in reversed(rows.tolist()):
        expected[row] = expected[row][:begin] + MARKS[kind] + expected[row][end:]
    new = replaced(array(texts), rows, MARKS).to_pylist()
    assert [n is None for n in new] == [row not in set(rows[:, 0].tolist()) for row in range(len(texts))]
    assert [old if n is None else n for old, n in zip(texts, new, strict=True)] == [e.decode() for e in expected]


@settings(deadline=None, max_examples=300)
@given(
    st.lists(PLANTED | KEYS | NUMBERED, min_size=1, max_size=3).map("".join),
    st.sampled_from([ALL, 15, 1, 2, 4, 8, 16, 64]),
)
@example(f"0{BASE64}\\n{BASE64}", ALL)  # lines that escapes part
def test_redacting_twice_changes_nothing_more(text, wanted):
    clean = replaced(array([text]), spans(array([text]), np.array([wanted], np.uint8)), MARKS).to_pylist()[0] or text
    assert found(clean, wanted) == []


RANDOM = "wJalrXUtnFEMIK7MDENGbPxRfiCY3q9Zt5"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nab+/=\n-----END RSA PRIVATE KEY-----"
CASES = [
    ("write to ana.m@example.co.ke.", [("email", "ana.m@example.co.ke")]),
    ("联系foo@bar.com请", [("email", "foo@bar.com")]),
    ("_ñandú@correo.es_", [("email", "_ñandú@correo.es")]),
    ("x@y.z 1@2.3 a@b a..@b.co", []),  # last labels of one letter, of digits, none; a dot before the @
    (f"{'a' * 64}@b.co {'a' * 65}@b.co", [("email", f"{'a' * 64}@b.co")]),
    ("ana＠例え.jp ana＠ｅｘ.jp a@xn--fsq.xn--p1ai", [("email", "ana＠ｅｘ.jp"), ("email", "a@xn--fsq.xn--p1ai")]),
    (
        "ana.m (at) mail [dot] co dot ke, b[at]c.org; look at dot com",
        [("email", "ana.m (at) mail [dot] co dot ke"), ("email", "b[at]c.org")],
    ),
    ("ana@h.net:~$ scp x ana@h.net:/srv git@h.net:a/b icon@2x.png tty@x.service <20210301123456.1@h.net>", []),
    ("@media @param @Override {@link X} \\@ISA @f(x) @a[1] @x = 1; [@smith99] @types/node @h.com `@ana_m`", []),
    ("@app_route\n@other\ndef f(): by @ana_m", [("user", "@ana_m")]),
    ("hi @ana_m, @ab (@张三丰) mail@ana", [("user", "@ana_m")]),
    ("medium.com/@ana.m.", [("user", "@ana.m")]),
    ("8.8.8.8, 8.8.4.255. 9.9.9.9-9.9.9.12", [("ip", "8.8.8.8"), ("ip", "8.8.4.255"), ("ip", "9.9.9.9")]),
    ("127.0.0.1 10.1.2.3 192.168.0.1 172.31.9.9 203.0.113.7 0.0.0.0 239.1.1.1", []),
    ("1.2.3 1.2.3.4.5 v1.2.3.4 1.2.3.256 01.2.3.4 lib-1.2.3.4 1.2.3.4-rc", []),
    ("version 66.1.2.3, v. 66.1.2.3 >= 66.1.2.3 §66.1.2.3 Abschnitt 66.1.2.3 第66.1.2.3 a/66.1.2.3", []),
    ("6.1.2.4. Title\n# 6.1.2.4 Title\n2.5.4.10\n66.1.0.0 \n66.1.2.3 is up", [("ip", "66.1.2.3")]),
    ("2001:db8:2000::19 2000::/3 rust_2021::x", []),
    ("http://[2001:4860:4860::8888]:80", [("ip", "2001:4860:4860::8888")]),
    ("ip:2a00:1450:4001:81b::200e. 2a00::8.8.8.8", [("ip", "2a00:1450:4001:81b::200e"), ("ip", "2a00::8.8.8.8")]),
    ("2001:db8::1 fe80::1 ::1 std::vector 20:15:30 2010:10:12", []),
    (f"key={RANDOM}==;", [("key", RANDOM + "==")]),
    ("AKIAIOSFODNN7EXAMPLE ghp_" + "aB3" * 12, [("key", "AKIAIOSFODNN7EXAMPLE"), ("key", "ghp_" + "aB3" * 12)]),
    ("sk-learn-contrib-and-some-more-words-here npm_config_" + "a" * 29, []),
    (f"a\n{PEM}\nb", [("key", PEM)]),
    (
        f"api_key = '{'0a' * 8}1234567b' Bearer {RANDOM} PublicKey={RANDOM} SHA256:{RANDOM} sha512-{RANDOM}",
        [("key", "0a" * 8 + "1234567b"), ("key", RANDOM)],
    ),
    (
        f"x/ghp_{'aB3' * 12} SG.{'aB3' * 7}a.{'aB3' * 14}a 123456789:AA{'aB3' * 11}",
        [("key", "ghp_" + "aB3" * 12), ("key", f"SG.{'aB3' * 7}a.{'aB3' * 14}a"), ("key", "123456789:AA" + "aB3" * 11)],
    ),
    (
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3.{RANDOM}",
        [("key", f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3.{RANDOM}")],
    ),
    (f"-----BEGIN CERTIFICATE-----\n{RANDOM}\n-----END CERTIFICATE-----", []),
    (f"{RANDOM}{RANDOM[::-1]}\n{RANDOM[::-1]}{RANDOM}\n{RANDOM}", []),
    (
        "VGhpcyBpcyBhIHNlbnRlbmNlIDQyIGFuZCA3 7VwW7k6Ak7zcTwoSoNm7aTtbk1g67MKA",
        [("key", "7VwW7k6Ak7zcTwoSoNm7aTtbk1g67MKA")],
    ),
    ("-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----", []),
    ("d41d8cd98f00b204e9800998ecf8427e 123e4567-e89b-12d3-a456-426614174000", []),
    ("getElementsByTagNameAndAttributeValue2 /usr/lib/x86_64-linux-gnu/Libfoo2/Bar", []),
    ("aB1" * 8 + " " + RANDOM[:23], []),  # three different characters; one too short
    ("aB1cD2eF3gH4" * 22, []),  # 264: data, not a key
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_hand_worked_cases(text, expected):
    got = found(text)
    if "张三丰" in text:  # a name in Han is one too, but not in front of letters of other scripts
        got = [span for span in got if "张" not in span[1]]
    assert got == expected


NUMBER_CASES = [
    (
        "+254 722 123456, +44 (0)20 7946 0958; 0044 20 7946 0958",
        ["+254 722 123456", "+44 (0)20 7946 0958", "0044 20 7946 0958"],
    ),
    ("(212) 555-0123 or 212.555.0123, 01 23 45 67 89", ["(212) 555-0123", "212.555.0123", "01 23 45 67 89"]),
    ("هاتف: ٠١٢ ٣٤٥ ٦٧٨٩ 电话12345678 Tel. 12 34 56 78", ["٠١٢ ٣٤٥ ٦٧٨٩", "12345678", "12 34 56 78"]),
    ("\u200f+966\u200e 50 123 4567, ０９０-１２３４-５６７８", ["+966\u200e 50 123 4567", "０９０-１２３４-５６７８"]),
    ("(020 7946 0958) +1.2125550123", ["020 7946 0958", "+1.2125550123"]),
    ("2020-10-10 05-01-2020 10 1.2.3 978-0-306-40615-7 0-306-40615-2 912 345 678 $0123 456 789 51.5074,-0.1278", []),
    ("+2147483647 +200 00 20 00 00 00 00 02 01 02 01 02 x0123 456789 0123 456789x 1/0123 456789", []),
    ("GB82 WEST 1234 5698 7654 32 NO9386011117947", ["GB82 WEST 1234 5698 7654 32", "NO9386011117947"]),
    ("GB82 WEST 1234 5698 7654 33 GB82WEST123456987654321 XX82", []),  # check digits, length, country
    ("4111 1111 1111 1111 12/25, 378282246310005", ["4111 1111 1111 1111", "378282246310005"]),
    ("4111 1111 1111 1112 1111111111111111 4111 1111-1111 1111 41111111111111110", []),
]


@pytest.mark.parametrize(("text", "expected"), NUMBER_CASES)
def test_hand_worked_numbers(text, expected):
    assert [number for _, number in found(text, PHONE | IBAN | CARD)] == expected


BOUNDS = [  # found, and one step further not
    (PHONE, "012 345678", "012 34567"),  # nine digits
    (PHONE, "01512 3456789", "01512 34567890"),  # twelve
    (PHONE, "Tel. 1234567", "Tel. 123456"),
    (PHONE, "+12345678 9", "+1234567"),
    (PHONE, "+123456789012345", "+1234567890123456"),
    (PHONE, "212-555-0123", "112-555-0123"),
    (PHONE, "(2100) 1234567", "(2010) 1234567"),  # no area, a year
    (IP, f"{' ' * 9}6.1.2.40. T", f"{' ' * 8}6.1.2.40. T"),  # headings begin within eight blanks
    (IP, "6.1.2.100. T", "6.1.2.99. T"),
    (IP, "6.1.2.32 T", "6.1.2.31 T"),
    (IP, "[6.1.2.32]", "[6.1.2.31]"),
    (EMAIL, "<abcdefghijk12345@h.net>", "<abcdefghij123456@h.net>"),  # 5 and 6 digits of 16
    (EMAIL, "<abcdefghi123456@h.net>", "<abcdefghij123456@h.net>"),  # 15 and 16
    (KEY, f"{RANDOM}12345\n{RANDOM}12345", f"{RANDOM}123456\n{RANDOM}123456"),  # lines of 39 and of 40
    (KEY, "token=ab1cd2ef3gh4ij5k", "token=ab1cd2ef3gh4ij5"),  # 16 and 15
    (KEY, "xoxb-12345678901234567abc", "xoxb-12345678901234567ab"[:24]),  # 20 and 19
]


@pytest.mark.parametrize(("wanted", "inside", "outside"), BOUNDS)
def test_each_bound_holds_at_the_bound(wanted, inside, outside):
    assert found(inside, wanted)
    assert not found(outside, wanted)


@settings(deadline=None, max_examples=30)
@given(st.text("0123456789", min_size=11, max_size=11))
def test_one_check_digit_of_ten_makes_a_card(digits):
    assert len([last for last in "0123456789" if found(f"4111{digits}{last}", CARD)]) == 1


REGISTRY = (  # examples of the registry itself
    "DE89370400440532013000 FR1420041010050500013M02606 MT84MALT011000012345MTLCAST001S CH9300762011623852957 "
    "BR1800360305000010009795493C1 SA0380000000608010167519 ES9121000418450200051332 AE070331234567890123456"
)


@pytest.mark.parametrize("account", REGISTRY.split())
def test_examples_of_the_registry_are_found(account):
    assert found(f"to {account}.", IBAN) == [("iban", account)]


@pytest.mark.parametrize("country", LENGTHS.split())
def test_one_pair_of_check_digits_makes_an_account_of_the_right_length(country):
    size, account = int(country[2:]), "7" * (int(country[2:]) - 4)
    assert len([n for n in range(2, 99) if found(f"{country[:2]}{n:02}{account}", IBAN)]) == 1
    wrong = (f"{country[:2]}{n:02}{account}7" for n in range(2, 99))
    assert size and not any(found(text, IBAN) for text in wrong)


def test_spans_that_overlap_become_one():
    text = f"{RANDOM}@example.com"
    assert found(text) == [("email", text)]


DENSE = [
    "＠",
    "(at)",
    "a (dot) ",
    "@a\n",
    "eyJ.",
    "ghp_+",
    "\\n",
    "secret:",
    "0",
    "(0",
    "+1 ",
    "١ ",
    "4111 1111 1111 1111 ",
    "tel ",
    "节1.2.3.4",
    "@",
    "a@",
    "a.",
    "a.b@",
    ":",
    "2001:",
    "1.2.3.4 ",
    "1.",
    "aB1",
    "é@",
    "中@a",
    "-",
    "x" * 64 + "@",
]


@pytest.mark.parametrize("part", [*DENSE, "-----BEGIN RSA PRIVATE KEY-----\n"])
def test_no_text_takes_more_than_linear_time(part):
    found(part * 10)  # compiled by now
    text = "a@" + part * (2_000_000 // len(part))
    begin = time.process_time()
    spans(array([text]), np.array([ALL], np.uint8))
    assert time.process_time() - begin < 2  # 1 MB/s; the slowest, of nothing but (0, runs at 3.6

"""Makes languages.tsv: every language's code in ISO 639-3, 639-1 and 639-2/B, the script it is written in, its name.

    python pipeline/text/data/make_languages.py ISO_639_3_DIR SUBTAG_REGISTRY_DIR > pipeline/text/data/languages.tsv

ISO_639_3_DIR is the `package` folder of the npm package iso-639-3 3.0.1 (MIT), a copy of SIL's table;
SUBTAG_REGISTRY_DIR that of language-subtag-registry 0.4.2 (CC0-1.0), a copy of IANA's registry of 2025-08-25, which has
the scripts. Node reads the first, because it is a JavaScript module.
"""

import json
import subprocess
import sys
from pathlib import Path

COLUMNS = ("iso6393", "iso6391", "iso6392B", "name")


def main(iso: Path, registry: Path) -> None:
    program = f"import({json.dumps(str(iso / 'index.js'))}).then(m => console.log(JSON.stringify(m.iso6393)))"
    languages = json.loads(subprocess.run(["node", "-e", program], check=True, stdout=subprocess.PIPE).stdout)
    tags = json.loads((registry / "data/json/registry.json").read_text(encoding="utf-8"))
    scripts = {tag["Subtag"]: tag["Suppress-Script"] for tag in tags if "Suppress-Script" in tag}
    for row in sorted(languages, key=lambda row: row["iso6393"]):
        iso3, iso1, bibliographic, name = (row.get(column, "") for column in COLUMNS)
        other = "" if bibliographic == iso3 else bibliographic
        print("\t".join((iso3, iso1, other, scripts.get(iso1 or iso3, ""), name)))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

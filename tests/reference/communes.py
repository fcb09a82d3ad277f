"""Writes evalkit/lists/communes.csv: `python tests/reference/communes.py`, with the two packages below installed.

Units, codes and the crosswalk come from vietnamadminunits 1.0.4 (MIT, its notice is in communes.LICENSE).
vietnam-provinces 2025.10.1 only serves to mark the units of 2025 for which the two lists differ: `disputed`.
"""

import csv
import json
import sqlite3
from importlib.resources import files
from pathlib import Path

from evalkit.encodings import fold

TARGET = Path(__file__).resolve().parents[2] / "evalkit" / "lists" / "communes.csv"


def spelling(name):
    return fold(name.replace("’", "'"))


def rows():
    from vietnam_provinces import Ward

    data = files("vietnamadminunits") / "data"
    database = sqlite3.connect(str(data / "dataset.db"))
    crosswalk = json.loads((data / "converter_2025.json").read_text(encoding="utf-8"))
    new = {
        (row[0], row[1]): row[2:]
        for row in database.execute("select provinceKey, wardKey, wardCode, ward, province from admin_units")
    }
    successors = {}
    for province, units in crosswalk["DICT_PROVINCE_WARD_NO_DIVIDED"].items():
        for unit, olds in units.items():
            for old in olds:
                successors.setdefault(old, set()).add(new[province, unit][0])
    for province, olds in crosswalk["DICT_PROVINCE_WARD_DIVIDED"].items():
        for old, parts in olds.items():
            successors.setdefault(old, set()).update(new[province, part["newWardKey"]][0] for part in parts)
    other = {f"{int(ward.code.value):05d}": spelling(ward.name) for ward in Ward.iter_all()}

    legacy = "select provinceKey, districtKey, wardKey, wardCode, ward, district, province from admin_units_legacy"
    for unit in database.execute(legacy):
        if unit[3]:  # Five island districts had no communes.
            yield "old", *unit[3:], " ".join(sorted(successors["_".join(unit[:3])])), ""
    for code, ward, province in new.values():
        yield "new", code, ward, "", province, "", "" if other.get(code) == spelling(ward) else "1"


if __name__ == "__main__":
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["list", "code", "name", "district", "province", "successors", "disputed"])
        table.writerows(sorted(rows(), key=lambda row: (row[0] == "new", row[1])))

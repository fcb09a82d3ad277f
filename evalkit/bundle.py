"""A report with all that made it, in one zip that others can check: written as RO-Crate, opened as a stranger's."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import platform
import re
import stat
import sys
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import distributions
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from evalkit.archives import zipped
from evalkit.cleaning import clean
from evalkit.errors import DataError, Problem, raise_any
from evalkit.language import LANGUAGES, catalogue, label, text
from evalkit.privacy import search
from evalkit.reading import read
from evalkit.sharing import SEED, shared_responses, simulated_study
from evalkit.study import Study

METADATA, BUNDLE, LEDGER = "ro-crate-metadata.json", "bundle.zip", "ledger.json"
MOST_FILES, MOST_BYTES = 2_000, 500_000_000
MOST_RATIO, SMALL = 300, 1_000_000  # a file that unpacks to more than SMALL may not be packed tighter than this
NEEDED = (METADATA, LEDGER, "run.json")
ROOT = Path(__file__).resolve().parent.parent
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_TERMS = "https://w3id.org/ro/terms/workflow-run/context"
_REPORT = ("*.html", "*.docx", "*.pdf", "*.csv", "*.json", "notebooks/*.ipynb", "figures/*", "tables/*")
_STUDY = (
    "*.toml",
    "text/*.md",
    "text/*.docx",
    "codebook.csv",
    "scales.csv",
    "corrections.csv",
    "study.xlsx",
    "plan.lock",
)
_ABOUT_SOFTWARE = ("requirements.lock", "CITATION.cff")
_BINARY = (".png", ".pdf")  # a pdf shows what the web page shows, which is searched
_SEARCHED = ("name", "phone", "identity", "email", "address", "birth_date", "gps", "device")


def write_bundle(study: Study, report: str | Path) -> Path:
    """Write `bundle.zip` into a report folder, and return its path; the same report gives the same bytes.

    In it: what the report folder holds; under study/ what the study declares and the team wrote, of raw files only
    the SHA-256 in the metadata; responses that may leave (`sharing.shared_responses`), else a simulated study under
    simulated/; the versions of all software. How long the run took is not in it, for it is never the same. Raises
    DataError where the report has no ledger, the study is no longer the one reported on, or something looks like
    personal data.

        write_bundle(ek.open_study("data/nga-bay"), "reports/nga-bay")
    """
    report = Path(report)
    path = report / BUNDLE
    path.unlink(missing_ok=True)  # one that no longer fits the report is worse than none
    raise_any(
        Problem(str(report), "report_missing", {"file": name})
        for name in (LEDGER, "run.json")
        if not (report / name).is_file()
    )
    ledger = json.loads((report / LEDGER).read_text(encoding="utf-8"))
    files = _report_files(report) | _study_files(study, ledger["inputs"])
    survey = clean(read(study), study)
    shared = shared_responses(survey, study)
    if shared is None:
        files |= {f"simulated/{name}": data for name, data in simulated_study(survey, study).items()}
    else:
        files["responses/shared.csv"] = shared.to_csv(index=False, lineterminator="\n").encode("utf-8")
    files |= {name: (ROOT / name).read_bytes() for name in _ABOUT_SOFTWARE if (ROOT / name).is_file()}
    files["environment.json"] = _json(_environment())
    which = "bundle_readme_simulated" if shared is None else "bundle_readme_shared"
    told = ["bundle_readme", which]
    if study.declared.study.simulated and "study/truth.toml" in files:
        told.append("bundle_readme_truth")
    paragraphs = [text(key, language) for language in LANGUAGES for key in told]
    files["README.txt"] = ("\n\n".join(paragraphs) + "\n").encode("utf-8")
    raise_any(_personal(files, study))
    files[METADATA] = _json(_metadata(study, ledger, files))
    path.write_bytes(zipped(dict(sorted(files.items()))))
    return path


@contextmanager
def open_bundle(path: str | Path) -> Iterator[Path]:
    """Unpack a bundle of whatever origin into a folder that is gone after the block.

    Raises DataError where it is no zip, is damaged or encrypted, is too large, holds links, paths that lead
    elsewhere, a file twice, or lacks a part. Whether the files are those that the metadata name, `bundle_differences`
    says.

        with open_bundle("reports/nga-bay/bundle.zip") as folder: ...
    """
    path = Path(path)
    if not path.is_file():
        raise DataError([Problem(str(path), "bundle_absent")])
    with tempfile.TemporaryDirectory(prefix="evalkit-") as work:
        folder = Path(work)
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
                raise_any(_entry_problems(entries, path.name))
                for entry in entries:
                    if not entry.is_dir():
                        target = folder / entry.filename
                        target.parent.mkdir(parents=True, exist_ok=True)
                        target.write_bytes(archive.read(entry))
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError, zlib.error):
            raise DataError([Problem(path.name, "bundle_damaged")]) from None
        _hashes(folder, path.name)
        yield folder


def bundle_differences(folder: str | Path) -> list[Problem]:
    """Files of an unpacked bundle that are not as its metadata say: others, missing, or not named there."""
    folder = Path(folder)
    wanted = _hashes(folder, METADATA)
    present = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    problems = []
    for name in sorted((wanted.keys() | present.keys()) - {METADATA}):
        if name not in present:
            problems.append(Problem(name, "bundle_part_missing"))
        elif name not in wanted:
            problems.append(Problem(name, "bundle_part_unnamed"))
        elif (found := sha256(present[name].read_bytes()).hexdigest()) != wanted[name]:
            values = {"found": found[:12], "expected": str(wanted[name])[:12]}
            problems.append(Problem(name, "bundle_part_differs", values))
    return problems


def _report_files(report: Path) -> dict[str, bytes]:
    """What a report folder holds, without where on the machine the study lay; verdicts are no part of it."""
    found = sorted({path for pattern in _REPORT for path in report.glob(pattern) if path.is_file()})
    kept = [path for path in found if not path.name.startswith(("verdict", "~$", "."))]
    files = {path.relative_to(report).as_posix(): path.read_bytes() for path in kept}
    run = json.loads(files["run.json"])
    files["run.json"] = _json(run | {"study": "study"})
    hidden = {f"folder = {run['study']!r}": "folder = 'study'", f"{ROOT}{os.sep}": "", sys.prefix: "python"}
    for name in files:
        if name.endswith(".ipynb"):
            for old, new in hidden.items():
                as_stored = json.dumps(old, ensure_ascii=False)[1:-1].encode("utf-8")
                files[name] = files[name].replace(as_stored, new.encode("utf-8"))
    return files


def _study_files(study: Study, inputs: Mapping[str, str]) -> dict[str, bytes]:
    """What a study declares and what the team wrote; the raw files of its waves never, wherever they lie."""
    raw = {study.raw_path(wave).resolve() for wave in study.declared.waves}
    found = sorted({path for pattern in _STUDY for path in study.folder.glob(pattern)})
    kept = [path for path in found if path.resolve() not in raw and not path.name.startswith((".", "~$"))]
    files = {path.relative_to(study.folder).as_posix(): path.read_bytes() for path in kept}
    names = [*files, *(wave.file for wave in study.declared.waves)]
    raise_any(
        Problem(name, "bundle_study_changed")
        for name in dict.fromkeys(names)
        if name != "plan.lock" and inputs.get(name) != sha256((study.folder / name).read_bytes()).hexdigest()
    )
    return {f"study/{name}": data for name, data in files.items()}


def _environment() -> dict[str, Any]:
    packages = {one.metadata["Name"].lower(): one.version for one in distributions()}
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
        "byteorder": sys.byteorder,
        "seeds": {"shift": 0, "simulated_study": SEED},
        "packages": dict(sorted(packages.items())),
    }


def _personal(files: Mapping[str, bytes], study: Study) -> Iterator[Problem]:
    """Whatever looks like personal data in texts that would leave, persons named in study.toml as such left out."""
    declared = study.declared
    about = [declared.study.organisation, declared.privacy.controller, declared.report]
    known = sorted(
        {words for one in about if one for words in _strings(one.model_dump()) if " " in words}, key=len, reverse=True
    )
    for name, data in files.items():
        if name in _ABOUT_SOFTWARE or name == "environment.json" or name.endswith(_BINARY):
            continue
        content = unicodedata.normalize("NFC", _text(name, data))
        for words in known:
            content = content.replace(unicodedata.normalize("NFC", words), "")
        # Cells of a table are searched one by one: two numbers side by side are no position on earth.
        lines = (
            csv.reader(io.StringIO(content)) if name.endswith(".csv") else ([line] for line in content.split("\n"))
        )
        pieces = [(at, cell) for at, cells in enumerate(lines, start=1) for cell in cells]
        for finding in search({"": [piece for _, piece in pieces]}):
            if finding.kind in _SEARCHED:
                where = (at for at, piece in pieces if finding.kind in {one.kind for one in search({"": [piece]})})
                line = None if name.endswith(_MARKED) else next(where, None)
                what = catalogue()[f"personal_kind_{finding.kind}"]
                yield Problem(name, "bundle_personal", {"what": what, "count": finding.count}, line)


_MARKED = (".html", ".svg", ".docx", ".xlsx")  # whose lines are not those of the file
_TAGS = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL)
_PACKED = re.compile(r"[A-Za-z0-9+/=]{200,}")  # pictures in notebooks and pages, in which anything can be found


def _text(name: str, data: bytes) -> str:
    """The words of a file, without markup."""
    if name.endswith((".docx", ".xlsx")):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = [part for part in sorted(archive.namelist()) if part.startswith(("word/", "xl/"))]
            parts = [archive.read(part).decode("utf-8", "replace") for part in parts if part.endswith(".xml")]
        content = re.sub(r"</w:p>|</si>|</is>|</c>", "\n", "\n".join(parts))
    else:
        content = data.decode("utf-8-sig", "replace")
    content = html.unescape(_TAGS.sub("", content)) if name.endswith(_MARKED) else content
    return _PACKED.sub("", content)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _strings(inner)


def _metadata(study: Study, ledger: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
    """RO-Crate metadata after the Process Run Crate profile."""
    from rocrate.model import ContextEntity
    from rocrate.rocrate import ROCrate

    declared, language = study.declared, ledger["language"]
    organisation = label(declared.study.organisation, language)
    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(_TERMS)
    crate.name = label(declared.study.title, language)
    crate.description = text("bundle_description", language, title=crate.name)
    form = declared.report
    day = (form.date if form else None) or max(wave.field_end for wave in declared.waves)
    crate.root_dataset["datePublished"] = day.isoformat()
    crate.license = text("bundle_licence", language, organisation=organisation)

    def entity(identifier: str, kind: str, **properties: Any) -> Any:
        return crate.add(ContextEntity(crate, identifier, properties={"@type": kind, **properties}))

    profile = entity(_PROFILE, "CreativeWork", name="Process Run Crate", version="0.5")
    publisher = entity("#organisation", "Organization", name=organisation)
    version = ledger["software"]["evalkit"]
    software = entity("#evalkit", "SoftwareApplication", name="evalkit", version=version, softwareVersion=version)
    made: list[Any] = []
    used: list[Any] = []
    for name, data in sorted(files.items()):
        properties = {
            "name": PurePosixPath(name).name,
            "sha256": sha256(data).hexdigest(),
            "contentSize": str(len(data)),
            "encodingFormat": guess_type(name)[0] or _FORMATS.get(PurePosixPath(name).suffix, "text/plain"),
        }
        one = crate.add_file(dest_path=name, properties=properties)
        (used if name.startswith("study/") else made).append(one)
    declared_too = {name.removeprefix("study/") for name in files if name.startswith("study/")}
    for number, (name, digest) in enumerate(sorted(ledger["inputs"].items()), start=1):
        if name not in declared_too:  # raw files stay, and whoever holds them can tell that they are these
            used.append(entity(f"#input-{number}", "CreativeWork", name=name, sha256=digest))
    run = entity("#run", "CreateAction", name=f"evalkit run {ledger['study']}")
    run["instrument"], run["agent"], run["object"], run["result"] = software, publisher, used, made
    run["actionStatus"] = "http://schema.org/CompletedActionStatus"
    crate.root_dataset["conformsTo"], crate.root_dataset["publisher"] = profile, publisher
    crate.root_dataset["mentions"] = run
    found = crate.metadata.generate()
    found["@graph"] = sorted(found["@graph"], key=lambda one: one["@id"])
    return found


_FORMATS = {".ipynb": "application/x-ipynb+json", ".toml": "application/toml", ".cff": "application/yaml"}


def _json(content: Any) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8")


def _entry_problems(entries: list[zipfile.ZipInfo], file: str) -> Iterator[Problem]:
    """What is wrong with the entries of a zip, before any of them is unpacked."""

    def problem(key: str, entry: zipfile.ZipInfo | None = None, **values: Any) -> Problem:
        return Problem(file, key, ({"found": ascii(entry.orig_filename)[1:-1][:100]} if entry else {}) | values)

    if len(entries) > MOST_FILES:
        yield problem("bundle_many_files", count=len(entries), most=MOST_FILES)
        return
    if (total := sum(entry.file_size for entry in entries)) > MOST_BYTES:
        yield problem("bundle_large", count=total // 1_000_000, most=MOST_BYTES // 1_000_000)
    seen: set[str] = set()
    for entry in entries:
        name = entry.orig_filename
        folded = unicodedata.normalize("NFC", name).casefold()
        if not _stays_inside(name):
            yield problem("bundle_path", entry)
        elif (mode := stat.S_IFMT(entry.external_attr >> 16)) and mode not in (stat.S_IFREG, stat.S_IFDIR):
            yield problem("bundle_link", entry)
        elif entry.flag_bits & 1:
            yield problem("bundle_encrypted", entry)
        elif folded in seen:
            yield problem("bundle_twice", entry)
        elif entry.file_size > max(SMALL, MOST_RATIO * entry.compress_size):
            yield problem("bundle_bomb", entry)
        seen.add(folded)
    names = {entry.filename for entry in entries}
    yield from (problem("bundle_lacks", expected=name) for name in NEEDED if name not in names)


def _stays_inside(name: str) -> bool:
    """Whether a path leads to a place below the folder it is unpacked into, on every system."""
    parts = name.removesuffix("/").split("/")
    return not (set(parts) & {"", ".", ".."} or re.search(r"[\\:\x00-\x1f]", name))


def _hashes(folder: Path, file: str) -> dict[str, str]:
    """SHA-256 of the bundle's files as its metadata say, by name."""
    try:
        graph = json.loads((folder / METADATA).read_text(encoding="utf-8"))["@graph"]
        kinds = {one["@id"]: one.get("@type") for one in graph}
        named = {unquote(one["@id"]): one["sha256"] for one in graph if kinds[one["@id"]] == "File"}
        sound = bool(named) and all(isinstance(found, str) for found in named.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise DataError([Problem(file, "bundle_metadata")])
    return named

"""environment.yml, pyproject.toml and the lock name the same packages with the same bounds."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
CONDA_NAMES = {"matplotlib-base": "matplotlib"}
DEVELOPERS_ONLY = {"mypy", "ruff"}


def declared() -> dict[str, SpecifierSet]:
    groups = PROJECT["dependency-groups"]
    listed = [*PROJECT["project"]["dependencies"], *groups["test"], *groups["dev"]]
    return {canonicalize_name(r.name): r.specifier for r in map(Requirement, listed)}


def conda() -> dict[str, SpecifierSet]:
    lines = re.findall(
        r"^ +- ([\w-]+)([<>=].*)?$", (ROOT / "environment.yml").read_text(encoding="utf-8"), re.MULTILINE
    )
    named = {CONDA_NAMES.get(name, canonicalize_name(name)): SpecifierSet(bounds) for name, bounds in lines}
    return {name: bounds for name, bounds in named.items() if name not in ("conda-forge", "nodefaults", "pip")}


def locked() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", LOCK, re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


def test_conda_has_what_pyproject_has():
    environment = conda()
    assert environment.pop("python") == SpecifierSet(PROJECT["project"]["requires-python"])
    assert environment == {name: bounds for name, bounds in declared().items() if name not in DEVELOPERS_ONLY}


def test_the_lock_satisfies_every_bound():
    versions = locked()
    for name, bounds in declared().items():
        assert versions.get(name), f"{name} is not locked"
        assert all(bounds.contains(version) for version in versions[name]), name


def test_the_lock_carries_hashes_and_no_addresses():
    assert not re.search(r"://|^-", LOCK, re.MULTILINE)
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_users_packages_are_all_there():
    assert {"jupyterlab", "pandas", "scipy", "statsmodels", "matplotlib", "nbval"} <= set(declared())

"""Zip archives, of Office files and of bundles, in which the same content gives the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

DAY = datetime(2000, 1, 1)  # of every archive and part, so that the same content gives the same bytes


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Files by their names as the bytes of a zip, in their order, without clock times.

    >>> zipped({"a.txt": b"a"}) == zipped({"a.txt": b"a"})
    True
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, DAY.timetuple()[:6])
            entry.create_system = 3  # also where it is made on another
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def without_times(package: io.BytesIO, replaced: Mapping[str, bytes] = MappingProxyType({})) -> bytes:
    """The bytes of an Office file without the clock times of its parts, some of them `replaced`.

    path.write_bytes(without_times(saved))
    """
    with zipfile.ZipFile(package) as parts:
        return zipped({name: replaced.get(name) or parts.read(name) for name in parts.namelist()})

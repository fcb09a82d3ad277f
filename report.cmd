@echo off
rem Double-click: reports on the example. Drop a study folder on this file: reports on that folder.
rem Nhap dup: lap bao cao mau. Keo tha thu muc khao sat vao tep nay: lap bao cao cho thu muc do.
chcp 65001 >nul
setlocal
cd /d "%~dp0"
if not exist .venv\ready (
    py -3 -c "import sys; sys.exit(sys.version_info < (3, 11))" || goto :nopython
    py -3 -m venv --clear .venv || goto :failed
    .venv\Scripts\python -m pip install --quiet --require-hashes -r requirements.lock || goto :failed
    .venv\Scripts\python -m pip install --quiet --no-deps --no-build-isolation -e . || goto :failed
    echo ready> .venv\ready
)
set "STUDY=%~1"
if not defined STUDY set "STUDY=data\nga-bay"
.venv\Scripts\python -m evalkit run "%STUDY%" || goto :failed
for %%I in ("%STUDY%") do for %%F in ("reports\%%~nxI\report*.docx") do start "" "%%F"
goto :eof

:nopython
echo Python 3.11 or newer is needed: https://www.python.org/downloads/
:failed
pause
exit /b 1

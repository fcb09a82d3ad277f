"""The command line: it drives the notebooks and prints; it contains no analysis."""

from __future__ import annotations

import codecs
import sys
import tomllib
import unicodedata
from contextlib import contextmanager
from datetime import date
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from evalkit.errors import DataError, in_words
from evalkit.language import LANGUAGES, Language, text

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Folder = Annotated[Path, typer.Argument(help="Thư mục khảo sát / study folder", show_default=False)]
Speech = Annotated[str, typer.Option("--language", help="vi, en", show_default="study.toml")]
Outside = Annotated[
    bool,
    typer.Option("--allow-outside", help="Cho phép tệp ngoài thư mục / allow raw files outside the folder"),
]


@app.command()
def new(
    folder: Folder,
    excel: Annotated[bool, typer.Option("--excel", help="Một tệp study.xlsx / one workbook")] = False,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Lập bảng mã từ XLSForm, sav, dta, csv, xlsx / draft the codebook from a file"),
    ] = None,
    language: Speech = "",
) -> None:
    """Tạo thư mục khảo sát để điền / make a study folder to fill in."""
    from evalkit.starting import start

    with _told(None, language) as speech:
        unknown = start(folder, excel=excel, source=source)
        print(text("new_done_excel" if excel else "new_done", speech, path=folder))
        if unknown:
            print(text("new_unknown", speech))
            print(in_words(unknown, speech))


@app.command()
def forms(folder: Folder, language: Speech = "") -> None:
    """Lập phiếu in và tệp nhập liệu từ bảng mã / write the questionnaire and the entry workbook."""
    from evalkit.starting import print_forms

    with _told(folder, language) as speech:
        for path in print_forms(folder):
            print(text("forms_done", speech, path=path))


@app.command()
def double(
    folder: Folder,
    first: Annotated[Path, typer.Argument(help="Tệp nhập lần một / first entry", show_default=False)],
    second: Annotated[Path, typer.Argument(help="Tệp nhập lần hai / second entry", show_default=False)],
    wave: Annotated[str, typer.Option(help="Mã đợt khảo sát / code of the wave", show_default=False)],
    decided: Annotated[
        Path | None, typer.Option("--decided", help="Danh sách tra lại đã điền / the list, filled in")
    ] = None,
    language: Speech = "",
) -> None:
    """So sánh hai lần nhập cùng các phiếu / compare two entries of the same forms."""
    from evalkit.entering import AGREED, LOOKUP, agree_files, compare_files, rate_sentence, unmatched

    with _told(folder, language) as speech:
        if decided:
            rates = agree_files(folder, first, second, wave=wave, decided=decided)
            for _, rate in rates.iterrows():
                print(rate_sentence(rate, "double_errors", speech, typist=rate["typist"] or "–"))
            print(text("forms_done", speech, path=folder / AGREED))
        else:
            found = compare_files(folder, first, second, wave=wave)
            print(rate_sentence(found.overall.iloc[0], "double_rate", speech))
            if len(found.unmatched):
                print(text("double_unmatched", speech, count=len(found.unmatched)))
                print(in_words(unmatched(found, first.name, second.name), speech))
            print(text("forms_done", speech, path=folder / LOOKUP))


@app.command()
def check(folder: Folder, language: Speech = "", allow_outside: Outside = False) -> None:
    """Tìm mọi lỗi của thư mục khảo sát / find everything that is wrong with a study folder."""
    from evalkit.checking import check
    from evalkit.licence import comparability_notices, licence

    with _told(folder, language) as speech:
        study, survey = check(folder, allow_outside=allow_outside)
        declared = study.declared
        counts = {"rows": len(survey.coded), "units": len(declared.units), "waves": len(declared.waves)}
        print(text("check_ok", speech, **counts))
        if survey.notices:
            print(text("check_announced", speech))
            print(in_words(survey.notices, speech))
        if notices := comparability_notices(study, speech):
            if licence(study) == "describe":
                notices.append(text("licence_describe", speech))
            print(text("check_notice", speech, notices=" ".join(notices)))


@app.command()
def run(
    folders: Annotated[list[Path], typer.Argument(help="Thư mục khảo sát / study folders", show_default=False)],
    language: Speech = "",
    reports: Annotated[Path, typer.Option(help="Thư mục báo cáo / folder of the reports")] = Path("reports"),
    each: Annotated[str, typer.Option(help="unit: mỗi đơn vị một báo cáo / one report a unit")] = "",
    allow_outside: Outside = False,
) -> None:
    """Lập báo cáo / write the report."""
    from rich.progress import Progress

    if each not in ("", "unit"):
        raise typer.BadParameter(text("run_each_unknown", "vi") + " / " + text("run_each_unknown", "en"))
    if each:
        from evalkit.unit_reports import run_each_unit as run
    else:
        from evalkit.report import run

    for folder in folders:
        with (
            _told(folder, language) as speech,
            Progress(disable=not sys.stderr.isatty(), transient=True) as bar,
        ):
            task = bar.add_task(text("run_progress", speech, name=folder.resolve().name))
            show = partial(bar.update, task)
            written = run(folder, reports, language=speech, allow_outside=allow_outside, progress=show)
            for path in sorted(written.glob("report*.*")):
                print(text("run_done", speech, path=path))
            if (refused := written / "bundle-refused.txt").exists():
                print(refused.read_text(encoding="utf-8"), file=sys.stderr)


@app.command()
def freeze(
    folder: Folder,
    late: Annotated[bool, typer.Option(help="Đã có phiếu đợt sau / answers of the second wave are there")] = False,
    allow_outside: Outside = False,
    language: Speech = "",
) -> None:
    """Ghi lại kế hoạch phân tích trước đợt khảo sát sau / fix the analysis plan before the second wave."""
    from evalkit.freezing import freeze
    from evalkit.study import open_study

    with _told(folder, language) as speech:
        path = freeze(open_study(folder, allow_outside=allow_outside), on=date.today(), late=late)
        print(text("freeze_done_late" if late else "freeze_done", speech, path=path))


@app.command()
def verify(
    report: Annotated[Path, typer.Argument(help="Thư mục báo cáo, tệp báo cáo hoặc bundle.zip", show_default=False)],
    data: Annotated[Path | None, typer.Option(help="Thư mục khảo sát / study folder", show_default=False)] = None,
    fingerprint: Annotated[str, typer.Option(help="Mã kiểm chứng trên bìa, trong biên bản / as in the minutes")] = "",
    no_run: Annotated[bool, typer.Option("--no-run", help="Không tính lại / compute nothing again")] = False,
    output: Annotated[Path | None, typer.Option(help="Thư mục ghi kết luận / folder of the verdict")] = None,
    language: Speech = "",
) -> None:
    """Kiểm tra báo cáo và tính lại từ dữ liệu gốc / check a report and compute it again from raw."""
    from rich.progress import Progress

    from evalkit.verdicts import in_words, write_verdict
    from evalkit.verification import report_language, verify

    with _told(None, language or report_language(report), code=2) as speech:
        if not no_run:
            print(text("verify_runs", speech))
        with Progress(disable=not sys.stderr.isatty(), transient=True) as bar:
            task = bar.add_task(text("run_progress", speech, name=report.name))
            verdict = verify(
                report,
                data=data,
                recompute=not no_run,
                known_fingerprint=fingerprint,
                progress=partial(bar.update, task),
            )
        speech = speech if language else verdict.language
        print(in_words(verdict, speech))
        if folder := output or (report if report.is_dir() else None):
            for path in write_verdict(verdict, folder, speech):
                print(text("verify_written", speech, path=path))
        raise typer.Exit(0 if verdict.holds else 1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Option(help="Thư mục sổ tay / folder of notebooks", show_default="notebooks")
    ] = None,
) -> None:
    """Mở các sổ tay trong JupyterLab trên máy này / open the notebooks in JupyterLab, on this machine only."""
    from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]

    from evalkit.course_notebooks import COURSE, START
    from evalkit.execution import NOTEBOOKS

    root = (folder or NOTEBOOKS).resolve()
    pages = [page for page in (f"{COURSE.name}/{START}", START) if (root / page).exists()]
    # In this process, so that Ctrl-C reaches JupyterLab alone, which then ends its kernels without asking.
    LabApp.launch_instance(
        [
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.root_dir={root}",
            f"--LabApp.default_url=/lab{''.join(f'/tree/{page}' for page in pages[:1])}",
            "--ServerApp.answer_yes=True",
            "--ServerApp.allow_root=True",  # in a container; it listens on this machine only, with a token
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",  # schools have no network
            "--LabApp.news_url=None",
            *context.args,
        ]
    )


course = typer.Typer(no_args_is_help=True, help="Khóa học / the course")
app.add_typer(course, name="course")


@course.command()
def make(language: Speech = "") -> None:
    """Lập sổ tay cho học viên và giáo viên từ nguồn / make the students' and teachers' notebooks."""
    from evalkit.course_notebooks import COURSE, make

    with _told(None, language) as speech:
        print(text("course_made", speech, count=len(make()), path=COURSE))


@course.command()
def summary(
    folder: Annotated[Path, typer.Argument(help="Thư mục các tệp tiến độ / folder of the progress files")],
    language: Speech = "",
) -> None:
    """Tổng hợp tiến độ theo mã học viên / what each student has done, by code, as a workbook."""
    from evalkit.course_summary import summarise

    with _told(None, language) as speech:
        path, notices = summarise(folder, speech)
        if notices:
            print(in_words(notices, speech))
        print(text("forms_done", speech, path=path))


@contextmanager
def _told(folder: Path | None, language: str = "", *, code: int = 1) -> Any:
    """The language to speak; problems are printed in it and end the command with an exit code."""
    speech = _speech(folder, language)
    try:
        yield speech
    except DataError as error:
        if len(error.problems) > 1:
            print(text("check_problems", speech, count=len(error.problems)), file=sys.stderr)
        print(error.message(speech), file=sys.stderr)
        raise typer.Exit(code) from None
    except KeyboardInterrupt:
        print(text("interrupted", speech), file=sys.stderr)
        raise typer.Exit(130) from None


def _speech(folder: Path | None, language: str) -> Language:
    """The language asked for, else the study's, else Vietnamese."""
    if language and language not in LANGUAGES:
        raise typer.BadParameter(f"{language!r}: vi, en")
    if not language and folder is not None:
        try:
            content = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8-sig"))
            language = content["study"]["language"]
        except (OSError, ValueError, KeyError, TypeError):
            pass
    return language if language in LANGUAGES else "vi"


def _without_marks(error: UnicodeError) -> tuple[str, int]:
    """Letters that the console cannot show, without their marks: readable, where `?` is not."""
    assert isinstance(error, UnicodeEncodeError)
    found = error.object[error.start : error.end].replace("đ", "d").replace("Đ", "D").replace("−", "-")
    plain = unicodedata.normalize("NFKD", found).encode("ascii", "ignore").decode("ascii")
    return plain or "?", error.end


def main() -> None:
    """Entry point: a console that is not UTF-8 gets plain letters instead of an error."""
    codecs.register_error("without_marks", _without_marks)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="without_marks")
    app()

"""A report as one HTML file that needs nothing else: no script, no font, no picture from anywhere."""

from importlib.resources import files

from tools.report.figures import as_svg, figure_rows
from tools.report.model import Figure, Progress, ReportModel, untold


def render_html(report: ReportModel, progress: Progress = untold) -> str:
    """Return the page; `progress` may stop it. Every figure comes with a sentence that says the same."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((files("tools.report") / "page.html.j2").read_text(encoding="utf-8"))
    rows: list[list[tuple[Figure, str]]] = []
    for row in figure_rows(report.figures):
        progress(sum(map(len, rows)) / len(report.figures))
        rows.append([(figure, as_svg(figure, wide=len(row) == 1)) for figure in row])
    return template.render(report=report, rows=rows, heading=report.headings)

"""A report as one HTML file that needs nothing else: no script, no font, no picture from anywhere."""

from importlib.resources import files

from tools.report.figures import as_svg, figure_rows
from tools.report.model import ReportModel


def render_html(report: ReportModel) -> str:
    """Return the page. Every figure comes with a sentence that says the same in words."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((files("tools.report") / "page.html.j2").read_text(encoding="utf-8"))
    rows = [
        [(figure, as_svg(figure, wide=len(row) == 1)) for figure in row]
        for row in figure_rows(report.figures)
    ]
    return template.render(report=report, rows=rows, heading=report.headings)

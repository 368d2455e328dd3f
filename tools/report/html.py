"""A report as one HTML file that needs nothing else: no script, no font, no picture from anywhere."""

from importlib.resources import files

from tools.report.figures import curves_figure, passes_figure, reps_figure
from tools.report.model import ReportModel


def render_html(report: ReportModel) -> str:
    """Return the page. Every figure comes with a sentence that says the same in words."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((files("tools.report") / "page.html.j2").read_text(encoding="utf-8"))
    return template.render(
        report=report,
        reps_svg=reps_figure(report.groups, report.mdc_deg) if report.groups else "",
        curves_svg=curves_figure(report.curves) if report.curves else "",
        passes_svg=passes_figure(report.passes) if report.passes else "",
    )

"""Reports: one page for the chart."""

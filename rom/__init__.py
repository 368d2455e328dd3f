"""One joint and one visit: angles, passes, measures, comparison, and the clinical record."""

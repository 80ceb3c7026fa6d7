"""The HTTP edge: routes, callers, bodies, words."""

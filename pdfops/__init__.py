"""Bytes in, bytes out: PDFs are inspected, shown, prepared, stamped, sealed and checked here.

Nothing in this package knows HTTP, the platform or a flow. The product calls it through `pdfops.sandbox.Workshop`,
which runs every parser of foreign input in a killable child process.
"""

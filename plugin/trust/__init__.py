"""Trust levels of eIDAS signatures: the providers behind one port."""

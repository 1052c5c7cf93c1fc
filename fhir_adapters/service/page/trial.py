"""Drugs, units and routes that the form of the demo offers. Read by a pharmacist; no logic here."""

DRUGS = (
    ("N02BE01", "paracétamol"), ("M01AE01", "ibuprofène"), ("B01AF02", "apixaban"), ("B01AE07", "dabigatran étexilate"),
    ("B01AB05", "énoxaparine"), ("A10BA02", "metformine"), ("C09AA05", "ramipril"), ("C03DA01", "spironolactone"),
    ("A12BA01", "chlorure de potassium"), ("C10AA01", "simvastatine"), ("J01FA09", "clarithromycine"),
    ("C01AA05", "digoxine"), ("N02AX02", "tramadol"), ("N05CF01", "zopiclone"),
)  # fmt: skip
UNITS = ("mg", "g", "µg", "UI", "mL")
ROUTES = (("PO", "orale"), ("IV", "intraveineuse"), ("SC", "sous-cutanée"))
PHARMACIST = "Practitioner/pharmacien-demo"
"""Who acts on the page: a demo asks nobody who he is."""

"""FHIR resources that a record system sends with a hook, as rows in the words of the views.

codes.py        what codes of FHIR mean in those words; read by a pharmacist
dosage.py       dose, unit, intakes a day and route of an order
medication.py   the codes and the name of its drug
orders.py       draft orders, and those that are active
history.py      results, diagnoses, and the patient
moments.py      dates and times of FHIR
shapes.py       parts of a resource that may be absent or wrong

Ids of these rows are negative: no row of a warehouse has such a one.
"""

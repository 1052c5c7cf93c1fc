"""CDS Hooks 2.0: what a service and a record system say to each other, and a suite that judges a service.

messages/        what the text and HL7's invariants ask of each message; ``check_response(body)``
cards.py         a prediction → the card of a clinician's screen
feedback.py      what a clinician did with a card → the mitigation of its DetectedIssue
markdown.py      text of the hospital inside a card: shown as it is, never run
overrides.py     the reasons that a card offers for not following it; read by a pharmacist
suggestions.py   for which findings a card proposes to drop the order; read by a pharmacist
suite/           the conformance suite: real requests to a running service

Nothing here needs the web framework of our own service.
"""

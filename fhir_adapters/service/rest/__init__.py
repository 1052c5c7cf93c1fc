"""FHIR R4, read only: the predictions, by id, patient, stay, identifier and time, with their history.

kinds.py        the types, and by what each may be searched
parameters.py   the parameters of a search → what is wanted
shelf.py        contents of the outbox → resources with real references
pages.py        the links from page to page: sealed, without an identifier in them
bundles.py      searchsets and histories
capability.py   the CapabilityStatement
routes.py       the HTTP
"""

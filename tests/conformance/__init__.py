"""Conformance: what we send, and what we refuse, in the eyes of validators that we did not write.

    python -m tests.conformance

__main__.py                the command
cases.py                   what is judged: examples, profiles, the corpus of the rules, a delivery
judges.py                  who judges: our rules, fhir.resources, the official validator, three independent ones
programs.py                builds the judges that are not Python into .conformance/, once
report.py                  who said what, and whether that is as it must be
disagreements.yaml         where the judges differ, and the paragraph of R4 that decides
official/, independent/, pyrofile/    the programs of the judges
servers.py, hapi/          two servers that we did not write, for the tests of delivery
"""

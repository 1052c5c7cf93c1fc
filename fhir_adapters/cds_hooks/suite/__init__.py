"""The conformance suite: real requests to a running CDS service, each answer judged, each rule with its source.

verdict.py         a check and what it gives: pass, fail or skipped, with a sentence
server.py          the service under test over HTTP
requests.py        valid requests: of an invented patient (record.json), or the caller's own
discovery.py       checks of a server as a whole
calls.py           valid requests are answered as the text says
broken.py          broken requests are refused, and never with a 5xx
feedbacks.py       the feedback endpoint
tokens.py          the client's JWT, right and forged
authentication.py  who is let in
run.py             all of it
"""

from fhir_adapters.cds_hooks.suite.run import Report, run_suite
from fhir_adapters.cds_hooks.suite.tokens import Signer, load_signer
from fhir_adapters.cds_hooks.suite.verdict import Verdict

__all__ = ["Report", "Signer", "Verdict", "load_signer", "run_suite"]

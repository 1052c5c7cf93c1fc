"""For which findings a card proposes to drop the draft order. Read by a pharmacist; no logic here.

Elsewhere (a dose, an interval, a result of the laboratory) the answer is another order, which a model does not write.
"""

from models.contract import Severity

# The order is there twice.
DUPLICATES = frozenset({"DUPTHPY", "DUPTHPGEN", "DUPTHPCLS"})
# The order is contraindicated, where the finding is as grave as that.
CONTRAINDICATIONS = frozenset({"ALGY", "COND", "DRG", "LACT", "PREG", "RREACT"})
CONTRAINDICATED: Severity = "high"

LABEL = "Retirer cette ligne de l'ordonnance"
DESCRIPTION = "Supprimer la prescription en cours de saisie"

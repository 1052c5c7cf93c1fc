"""A probability, typed: models speak in fractions, R4 in percentages, and both fit in a decimal."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from passerelle.errors import FhirError

PERCENT_STEP = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Probability:
    """A fraction between 0 and 1. Built once from what a model says, converted once to what R4 wants.

    Example:
        >>> Probability.of_fraction(0.85).percent()
        Decimal('85.0')
    """

    fraction: Decimal

    def __post_init__(self) -> None:
        if not self.fraction.is_finite() or not 0 <= self.fraction <= 1:
            raise FhirError(
                "a probability is not a fraction between 0 and 1",
                looked="the value that a model gave",
                do="give a fraction: 0.85 for 85 %",
            )

    @classmethod
    def of_fraction(cls, fraction: float | Decimal) -> "Probability":
        """From a fraction; a float is taken at its shortest text, so 0.1 is exactly one tenth."""
        return cls(fraction if isinstance(fraction, Decimal) else Decimal(repr(float(fraction))))

    def percent(self) -> Decimal:
        """Percentage with one digit after the point, 0.0 to 100.0."""
        return (self.fraction * 100).quantize(PERCENT_STEP, rounding=ROUND_HALF_EVEN)

    def probability_decimal(self, *, really_below_one_percent: bool = False) -> Decimal:
        """The value of ``RiskAssessment.prediction.probabilityDecimal``.

        Args:
            really_below_one_percent: the caller states that the event is that rare.
        Raises:
            FhirError: 1 % or less without that statement; the fraction was most likely divided twice.
        """
        percent = self.percent()
        if 0 < self.fraction <= Decimal("0.01") and not really_below_one_percent:
            raise FhirError(
                "a probability of 1 % or less needs a statement that it is meant",
                looked="Probability.probability_decimal",
                do="pass really_below_one_percent=True for a rare event, else look for a second division by 100",
            )
        return percent

"""The resources of one server, with what this server can do to them."""

from fhir_adapters.sandbox.abilities import Abilities
from fhir_adapters.sandbox.pages import Pages
from fhir_adapters.sandbox.search import View
from fhir_adapters.sandbox.store import Store


class Repository:
    """What every interaction works on."""

    def __init__(self, base_url: str, abilities: Abilities) -> None:
        self.base_url, self.abilities = base_url, abilities
        self.store, self.pages = Store(), Pages()
        self.search_horizon: int | None = None  # a search index that lags behind sees no more of the log
        self.update_horizon: int | None = None  # what a conditional update saw when it arrived, if it races

    def seen_by_search(self) -> View:
        """What a search sees."""
        return View(self.store, self.search_horizon, self.abilities.bars_in_identifiers)

    def seen_by_condition(self, method: str) -> View:
        """What a conditional create, update or delete sees: never the index that lags, or nobody could be helped."""
        horizon = self.update_horizon if method == "PUT" else None
        return View(self.store, horizon, self.abilities.bars_in_identifiers)

    def clear(self) -> None:
        """Forget everything."""
        self.store.clear()
        self.pages.clear()
        self.search_horizon = self.update_horizon = None

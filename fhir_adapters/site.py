"""What a hospital decides about the resources that bear its name."""

from dataclasses import dataclass

CANONICAL = "https://passerelle.example/fhir"  # of our own StructureDefinitions and CodeSystems


@dataclass(frozen=True, slots=True)
class Site:
    """Names of the hospital in the resources. The default is an invented one, for the demo and the tests."""

    naming_base: str = "https://chu-demo.example/fhir/NamingSystem"
    organization: str = "CHU de démonstration"
    finess: str = "990000001"  # legal entity; 99 is no French department
    model_registry: str = "https://chu-demo.example/mlflow"
    timezone: str = "Europe/Paris"  # of the dates that a clinician reads

    @property
    def prediction_system(self) -> str:
        """System of the identifier that makes a prediction itself."""
        return f"{self.naming_base}/prediction-id"

    @property
    def content_system(self) -> str:
        """System of the second identifier, which tells one content of a prediction from the next."""
        return f"{self.naming_base}/prediction-content"

    @property
    def model_version_system(self) -> str:
        """System of ``<model>.<version>``, the identifier of a Device."""
        return f"{self.naming_base}/model-version"

    @property
    def cohort_system(self) -> str:
        """System of the identifier of a Group whose forecast is made."""
        return f"{self.naming_base}/cohort"

    @property
    def document_system(self) -> str:
        """System of the master identifier of a document: another one for each content."""
        return f"{self.naming_base}/prediction-document"

    @property
    def view_release_system(self) -> str:
        """System of the releases of the views that models read."""
        return f"{self.naming_base}/view-release"

    @property
    def omop_row_system(self) -> str:
        """System of ``<table>/<row id>``: a key of the OMOP warehouse, which says nothing about the patient."""
        return f"{self.naming_base}/omop-row"

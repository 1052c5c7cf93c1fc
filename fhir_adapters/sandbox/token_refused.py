"""What the token endpoint of the sandbox refuses."""


class TokenRefused(Exception):
    """An error of OAuth 2: its code and a sentence."""

    def __init__(self, code: str, told: str) -> None:
        super().__init__(code)
        self.code, self.told = code, told

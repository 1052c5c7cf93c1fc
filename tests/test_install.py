"""What a hospital told pip holds for uv as well."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def install():
    path = Path(__file__).resolve().parent.parent / ".ci" / "install.py"
    spec = importlib.util.spec_from_file_location("install", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LISTING = """\
:env:.find-links='/wheels /more wheels'
global.index-url='https://mirror.hospital.example/simple'
global.timeout='60'
install.index-url='https://second.hospital.example/simple'
global.trusted-host='mirror.hospital.example\\nsecond.hospital.example'
"""


def test_the_environment_wins_over_install_and_install_over_global(install):
    options = install.pip_options(LISTING)
    assert options["index-url"] == "https://second.hospital.example/simple"
    assert options["find-links"] == "/wheels /more wheels"


def test_pip_settings_become_uv_variables(install):
    assert install.uv_variables(install.pip_options(LISTING), {}) == {
        "UV_SYSTEM_CERTS": "true",
        "UV_DEFAULT_INDEX": "https://second.hospital.example/simple",
        "UV_FIND_LINKS": "/wheels,/more,wheels",
        "UV_INSECURE_HOST": "mirror.hospital.example second.hospital.example",
        "UV_HTTP_TIMEOUT": "60",
    }


def test_without_settings_only_the_certificates_of_the_machine_are_asked_for(install):
    assert install.uv_variables(install.pip_options(""), {}) == {"UV_SYSTEM_CERTS": "true"}


def test_what_a_person_set_for_uv_is_left_alone(install):
    mine = {"UV_DEFAULT_INDEX": "https://mine.example/simple", "UV_SYSTEM_CERTS": "false"}
    assert not install.uv_variables({"index-url": "https://pips.example/simple"}, mine)

"""Served models, for all tests of clients."""

import functools

import pytest
import served
import stand_in

from zoo.catalog.loading import Model

# As `python -m zoo serve-config` starts the server, but with a limit that tests go beyond.
OPTIONS = {"max_batch_size": 8, "allow_version_labels_for_unavailable_models": True}


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """What the server has at `/`: two versions of `odd`."""
    root = tmp_path_factory.mktemp("server")
    served.save_odd(root, 1)
    served.save_odd(root, 2, warmup=2 * [served.WARMUP])
    return root


@pytest.fixture(scope="session")
def odd_models(root):
    with stand_in.Models(f"model_config_list {{ {served.ODD} }}", root, **OPTIONS) as models:
        yield models


@pytest.fixture(scope="session")
def odd_server(odd_models):
    with stand_in.Server(odd_models) as server:
        yield server


@pytest.fixture(params=["rest", "grpc"])
def odd_address(request, odd_server):
    """Of a server with `odd` alone, which starts quickly."""
    return getattr(odd_server, request.param)


@pytest.fixture(scope="session")
def modules(tmp_path_factory):
    """One of each task, before it is saved."""
    return served.modules(tmp_path_factory.mktemp("modules"))


@pytest.fixture(scope="session")
def models(root, modules):
    for name, module in modules.items():
        served.save(root, name, module, module.signature_names)
    config = f"model_config_list {{ {served.TASKS} {served.ODD} }}"
    with stand_in.Models(config, root, **OPTIONS) as models:
        yield models


@pytest.fixture(scope="session")
def server(models):
    with stand_in.Server(models) as server:
        yield server


@pytest.fixture(params=["rest", "grpc"])
def address(request, server):
    """Of a server with all models."""
    return getattr(server, request.param)


@pytest.fixture(scope="session")
def local(root, models):
    """Models as they load here."""

    @functools.cache
    def load(name, version=1):
        return Model(root / "models" / name / str(version))

    return load

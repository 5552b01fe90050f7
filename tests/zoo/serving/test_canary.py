"""Two versions under labels, from the files that the command writes to what clients get."""

import pytest
import served
import stand_in
from server_files import batching_of, flags_of

from zoo.serving.client import ServerError, connect
from zoo.serving.configuration import write_config


@pytest.fixture
def odd(tmp_path):
    """The folder of a model whose versions give other lengths."""
    for version in (1, 2, 3):
        served.save_odd(tmp_path, version)
    return tmp_path / "models"


def test_the_recipe(odd, tmp_path):
    def write(which):
        paths = write_config(odd, output=tmp_path / "serving", versions=[f"odd={which}"])
        return paths[0].read_text()

    def lengths(address):
        return {label: connect(address, "odd", label=label)("a")["length"][0] for label in labels}

    labels = ["stable", "canary"]
    config = write("stable:1,canary:2")
    batching = batching_of((tmp_path / "serving" / "batching.config").read_text())
    flag = "allow_version_labels_for_unavailable_models"
    flags = flags_of((tmp_path / "serving" / "compose.yaml").read_text())
    options = {flag: flags[flag] == "true", "max_batch_size": batching["max_batch_size"]}
    with stand_in.Models(config, tmp_path, **options) as models, stand_in.Server(models) as server:
        for address in (server.rest, server.grpc):
            assert lengths(address) == {"stable": 1, "canary": 2}
            assert connect(address, "odd")("a")["length"] == [2]

        # The canary has done well.
        models.reload(write("stable:2,canary:2"))
        assert lengths(server.rest) == {"stable": 2, "canary": 2}
        assert connect(server.grpc, "odd").states().keys() == {1, 2}
        with pytest.raises(ServerError, match=r"Specific\(odd, 1\)"):
            connect(server.rest, "odd", version=1)("a")

        # The next one: loaded first, then labelled.
        models.reload(write("stable:2,canary:2,3"))
        connect(server.rest, "odd", version=3).wait_until_ready(5)
        models.reload(write("stable:2,canary:3"))
        assert lengths(server.grpc) == {"stable": 2, "canary": 3}

        # Back again, to what is still there.
        models.reload(write("stable:2,canary:2"))
        assert lengths(server.rest) == {"stable": 2, "canary": 2}


def test_labels_that_a_running_server_would_not_move(odd, tmp_path):
    """It refuses the whole file, at each reading; so it is not written."""
    output = {"output": tmp_path / "serving"}
    (models_config, *_) = write_config(odd, **output, versions=["odd=stable:1,canary:2"])
    before = models_config.read_text()
    with pytest.raises(
        ValueError,
        match=r"odd: expected the label canary to move to a .* \[1, 2\]"
        r"\. Received: 3\. Say first --versions odd=stable:1,canary:2,3,",
    ):
        write_config(odd, **output, versions=["odd=stable:1,canary:3"])
    assert models_config.read_text() == before

    flag = {"allow_version_labels_for_unavailable_models": True}
    with stand_in.Models(before, tmp_path, **flag) as models:
        moved = before.replace('"canary" value: 2', '"canary" value: 3')
        for _ in range(2):
            with pytest.raises(stand_in.StatusError, match="version 3 of model odd, which is not"):
                models.reload(moved.replace("versions: 2", "versions: 3"))
        assert models.versions["odd"].keys() == {1, 2}


def test_labels_of_a_server_that_starts_without_the_flag(odd, tmp_path):
    paths = write_config(odd, output=tmp_path / "serving", versions=["odd=stable:1"])
    with pytest.raises(stand_in.StatusError, match="not currently available for inference"):
        stand_in.Models(paths[0].read_text(), tmp_path)


def test_new_labels_and_models_without_labels_may_be_anything(odd, tmp_path):
    for which in ("1", "stable:2", "stable:2,canary:3", "3", "stable:1"):
        write_config(odd, output=tmp_path / "serving", versions=[f"odd={which}"])
    write_config(odd, output=tmp_path / "serving")

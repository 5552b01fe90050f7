"""Where models are looked for, and which version of one is found."""

from pathlib import Path

import pytest

import zoo
from zoo.saving import versions


def make(folder, *numbers):
    for number in numbers:
        (folder / number).mkdir(parents=True)
        (folder / number / "saved_model.pb").touch()
    return folder


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The working directory's models, and the zoo's own."""
    here, own = tmp_path / "work" / "saved_models", tmp_path / "own"
    make(here / "mine", "1")
    make(here / "both", "3")
    make(own / "both", "1", "2")
    make(own / "ner_wikiann", "1", "2", "10")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(versions, "home", lambda: own)
    return here, own


def test_versions_are_numbers_with_a_saved_model(tmp_path):
    make(tmp_path / "a", "2", "10", "007")
    (tmp_path / "a" / "11").mkdir()  # nothing is in it
    make(tmp_path / "a", ".tmp-12", "²")
    assert versions.versions(tmp_path / "a") == [2, 7, 10]
    assert versions.find("a", folder=tmp_path) == tmp_path / "a" / "10"
    assert versions.find("a", 7, tmp_path) == tmp_path / "a" / "007"
    assert versions.next_version(tmp_path / "a") == 12


def test_a_folder_without_versions(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert versions.versions(folder) == []
        assert versions.next_version(folder) == 1
    assert zoo.list_models(tmp_path / "nowhere") == []


def test_the_working_directory_comes_before_the_zoo(places):
    here, own = places
    assert zoo.list_models() == ["both", "mine", "ner_wikiann"]
    assert versions.find("mine").resolve() == here / "mine" / "1"
    assert versions.find("both").resolve() == here / "both" / "3"
    assert versions.find("both", 2) == own / "both" / "2"
    assert versions.find("ner_wikiann") == own / "ner_wikiann" / "10"
    assert versions.find("ner_wikiann", 2) == own / "ner_wikiann" / "2"


def test_one_folder_alone(places):
    _, own = places
    assert zoo.list_models(own) == ["both", "ner_wikiann"]
    assert versions.find("both", folder=own) == own / "both" / "2"
    with pytest.raises(ValueError, match=r"such as \['both', 'ner_wikiann'\].*Received: 'mine'"):
        versions.find("mine", folder=own)


def test_a_path_is_a_model_or_a_version(places, tmp_path):
    _, own = places
    assert versions.find(own / "both") == own / "both" / "2"
    assert versions.find(str(own / "both"), 1) == own / "both" / "1"
    assert versions.find(own / "both" / "1") == own / "both" / "1"
    assert versions.find(own / "both" / "1", 1) == own / "both" / "1"
    with pytest.raises(ValueError, match="expected no version beside the path of one"):
        versions.find(own / "both" / "1", 2)
    make(Path("ner_wikiann"), "4")  # a folder of the working directory
    assert versions.find("ner_wikiann") == Path("ner_wikiann") / "4"
    make(tmp_path, "export")  # without a version
    assert versions.find(tmp_path / "export") == tmp_path / "export"


@pytest.mark.parametrize("version", [0, 4, -1])
def test_a_version_that_is_not_there(places, version):
    message = rf"both: expected one of the versions \[1, 2, 3\]. Received: {version}"
    with pytest.raises(ValueError, match=message):
        versions.find("both", version)


def test_the_path_of_a_version_that_is_not_there(places):
    _, own = places
    with pytest.raises(ValueError, match=r"both: expected one of the versions \[1, 2\]. Rec.* 7"):
        versions.find(own / "both" / "7")


@pytest.mark.parametrize("name", ["ner_wikian", "NER_wikiann"])
def test_an_error_names_the_nearest(places, name):
    here, own = places
    with pytest.raises(ValueError, match=rf"such as \['ner_wikiann'\].*Received: '{name}'") as e:
        zoo.load(name)
    assert f"{here}, then {own}" in str(e.value)


@pytest.mark.parametrize("name", ["", ".", "no/where"])
def test_names_that_are_none(places, name):
    with pytest.raises(ValueError, match=rf"expected a model of .*Received: '{name}'"):
        versions.find(name)


def test_nothing_at_all_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(versions, "home", lambda: tmp_path / "own")
    with pytest.raises(ValueError, match=r"no models where .*python -m tasks\.ner") as caught:
        zoo.load("ner_wikiann")
    assert f"{tmp_path / 'saved_models'}, then {tmp_path / 'own'}" in str(caught.value)


def test_the_zoo_is_beside_the_packages_or_in_them(tmp_path, monkeypatch):
    (tmp_path / "zoo").mkdir()
    monkeypatch.setattr(versions, "_PACKAGE", tmp_path / "zoo")
    assert versions.home() == tmp_path / "saved_models"
    (tmp_path / "zoo" / "saved_models").mkdir()
    assert versions.home() == tmp_path / "zoo" / "saved_models"


def test_a_place_is_looked_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(versions, "home", lambda: tmp_path / "saved_models")
    monkeypatch.chdir(tmp_path)
    assert versions.model_folders() == [tmp_path / "saved_models"]

"""What a recipe takes over from a trained model: `--init_from`, `--pretrain_from`, and how data are
read."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, TypeVar

from tasks.data.errors import UserError, why
from tasks.framework.configuration import TaskConfig
from tasks.framework.pretrained import SHAPE, language_model_of
from zoo.catalog.sources import BEST, Source, source
from zoo.configuration import MODELS, WordPredictorConfig, options

if TYPE_CHECKING:
    from zoo.catalog.loading import Model

C = TypeVar("C", bound=TaskConfig)


def find(config: TaskConfig) -> Source | None:
    """The model that a recipe starts from, or None.

    Raises:
        UserError: there is no such model.
    """
    if config.training.init_from is None:
        return None
    try:
        return source(config.training.init_from)
    except (OSError, ValueError) as error:
        raise UserError(f"--init_from: {error}") from None


def named(name: str | os.PathLike, flag: str) -> Source:
    """The trained model that a flag names: `--model_dir` the folder of a run, others any.

    Raises:
        UserError: there is no such model.
    """
    if flag == "model_dir" and not os.path.exists(os.path.join(name, BEST)):
        raise UserError(
            f"--model_dir: expected the folder of a training run, with {BEST} in it. Received: "
            f"{os.fspath(name)!r}"
        )
    try:
        return source(name)
    except (OSError, ValueError) as error:
        raise UserError(f"--{flag}: {error}") from None


def lines(found: Source, name: str) -> list[str]:
    """The lines of a text file of the model that a recipe starts from.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return found.lines(name)
    except (OSError, ValueError) as error:
        raise UserError(f"--init_from={found.folder}: {name}: {why(error)}") from None


def shaped(config: C, given: Collection[str] = (), model_dir: str | None = None) -> C:
    """A recipe with the shape of the model that it starts from, if there is one.

    Args:
        config: the recipe.
        given: names of options that were said and are not just defaults.
        model_dir: folder of its run.

    Raises:
        UserError: there is no such model, it is one of another kind, or options were said that it
            has otherwise.
    """
    found, language = find(config), language_model_of(config.training, model_dir)
    try:
        if language is not None:
            return _shaped_by_language_model(config, language.config, given)
        return config if found is None else _shaped_by(config, found, given)
    except ValueError as error:  # what is said goes with models of other shapes
        raise UserError(f"--{error}") from None


def _shaped_by_language_model(config: C, made_of: WordPredictorConfig, given: Collection[str]) -> C:
    shape = {name: getattr(made_of, name) for name in SHAPE}
    if bool(shape["character_dim"]) != hasattr(config.model, "character_dim"):
        kind = "a tagger, which spells" if shape["character_dim"] else "a classifier, which reads"
        raise UserError(
            "--pretrain_from: expected the language model of a run that reads as this one does. "
            f"Received that of {kind} words"
        )
    shape = {name: value for name, value in shape.items() if hasattr(config.model, name)}
    differing = _differing(config, shape, given)
    if differing:
        raise UserError(
            f"--pretrain_from: that language model has another shape: {differing}. Leave these "
            "flags out."
        )
    return dataclasses.replace(config, model=config.model.replace(**shape))


def _shaped_by(config: C, found: Source, given: Collection[str]) -> C:
    if type(found.config) is not type(config.model):
        tasks = [f"tasks.{name}" for name, kind in MODELS.items() if kind is type(config.model)]
        raise UserError(
            f"--init_from: expected a model of {' or '.join(tasks)}. Received: "
            f"{str(found.folder)!r}, a model of tasks.{found.task}"
        )
    flat = {**found.recipe, **found.config.as_dict()}
    of_model = {n for n, (_, said) in options(type(config.model)).items() if not said.training_only}
    reading = {n for n, (_, said) in options(type(config.data)).items() if said.reading}
    names = (of_model | reading) & config.options().keys() & flat.keys()
    shape: dict[str, Any] = {name: flat[name] for name in names}
    differing = _differing(config, shape, given)
    if differing:
        raise UserError(
            f"--init_from: a model of this shape is trained on: {differing}. Leave these flags out."
        )
    return dataclasses.replace(
        config,
        model=config.model.replace(**{n: v for n, v in shape.items() if n in of_model}),
        data=config.data.replace(**{n: v for n, v in shape.items() if n in reading}),
    )


def read_alike(config: C, model: Model, given: Collection[str] = ()) -> C:
    """A recipe that reads data as a SavedModel was taught to; one that does not say how it was made
    is taken to read them as the recipe says.

    Args:
        config: the recipe.
        model: the SavedModel.
        given: names of options that were said and are not just defaults.

    Raises:
        UserError: options were said that the model has otherwise.
    """
    try:
        recipe = source(model.folder).recipe
    except (OSError, ValueError):
        return config
    known = {n for n, (_, said) in options(type(config.data)).items() if said.reading}
    there = {name: recipe[name] for name in known & recipe.keys()}
    differing = _differing(config, there, given)
    if differing:
        raise UserError(
            f"--model: a model is asked as it was trained: {differing}. Leave these flags out."
        )
    return dataclasses.replace(config, data=config.data.replace(**there))


def _differing(config: TaskConfig, there: dict[str, Any], given: Collection[str]) -> str:
    """In what options that were said differ from those of a model, in words."""
    now = config.as_dict()
    return "; ".join(
        f"--{name}={there[name]!r} there, {now[name]!r} now"
        for name in sorted(there)
        if name in given and there[name] != now[name]
    )

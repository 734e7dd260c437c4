"""The section `notify` of a config: who is told how a run ended."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from pipeline.config.kinds import Json, OneOf, Seconds, rule, wrong
from pipeline.config.section import Section, field_of
from pipeline.config.settings import CommandSettings, On
from pipeline.config.texts import LocalPath, MetricsPath, VariableName, Words


class Ping(Section):
    """A service such as healthchecks that misses the run when it does not come."""

    url_env: Annotated[str, VariableName()] = Field(
        description="The environment variable that holds the URL: a secret, so it does not stand here."
    )

    @model_validator(mode="before")
    @classmethod
    def _is_a_mapping(cls, value: object) -> object:
        if isinstance(value, dict):
            return value
        raise rule("must be {url_env: NAME}, the name of an environment variable that holds the URL")


class Command(Section):
    """A program that is told how a run ended."""

    run: Annotated[list[str], Words()] = Field(
        description="The program and its arguments; no shell. It starts in the folder of this file."
    )
    on: Annotated[On, OneOf(On)] = field_of(CommandSettings, "on", "After which runs it is called.")
    timeout: Annotated[float, Seconds(0.1, 3600)] = field_of(
        CommandSettings, "timeout", "Seconds it may take; then it is killed."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_words(cls, value: object) -> object:
        if isinstance(value, dict):
            return value
        if isinstance(value, list):
            return {"run": value}
        raise wrong('must be a list such as ["./tell.sh", "1"], or a mapping with the key run')

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        long = handler.resolve_ref_schema(handler(schema))
        return {"anyOf": [long["properties"]["run"], long]}


class Notify(Section):
    """Who is told how a run ended, beside the one who started it. None of it can change how it ended."""

    ping: Ping | None = Field(default=None, description="A service that is pinged when a run starts and ends.")
    command: Command | None = Field(default=None, description="A program that is called when a run has ended.")
    metrics: Annotated[str, MetricsPath()] | None = Field(
        default=None, description="A file for Prometheus' node_exporter (textfile collector): NAME.prom."
    )
    status_file: Annotated[str, LocalPath()] | None = Field(
        default=None, description="A file that holds how the last run ended, as JSON."
    )

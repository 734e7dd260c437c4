"""What is said of a place in object storage: the same for sources and targets."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from pipeline.config.kinds import Seconds
from pipeline.config.section import Flag, Section, field_of, rule
from pipeline.config.settings import SERVICES, StoreSettings
from pipeline.config.texts import Endpoint, is_url

KEYS = frozenset({"endpoint", "region", "account", "anonymous", "connect", "silence", "retry"})


class Place(Section):
    """A section that may name a store. Its keys mean nothing for a folder."""

    endpoint: Annotated[str, Endpoint()] | None = Field(
        default=None,
        description="Of a store: where the service answers, such as https://minio.example.org:9000. Left out: the "
        "service's own place, or AWS_ENDPOINT_URL.",
    )
    region: str | None = Field(
        default=None, description="Of a store in S3: its region. Left out: AWS_REGION, the profile's, or us-east-1."
    )
    account: str | None = Field(
        default=None, description="Of a store in Azure: the storage account. Left out: AZURE_STORAGE_ACCOUNT_NAME."
    )
    anonymous: Flag = field_of(
        StoreSettings, "anonymous", "Of a store: whether it is asked without credentials, as a public one may be."
    )
    connect: Annotated[float, Seconds(0.1, 3600)] = field_of(
        StoreSettings, "connect", "Of a store: what a connection may take."
    )
    silence: Annotated[float, Seconds(0.1, 3600)] = field_of(
        StoreSettings, "silence", "Of a store: how long it may send nothing."
    )
    retry: Annotated[float, Seconds(0, 3600)] = field_of(
        StoreSettings,
        "retry",
        "Of a store: for how long a request that met no connection, silence or an error of the store is tried again, "
        "with growing pauses. Then the run ends, with status 3.",
    )

    @model_validator(mode="after")
    def _has_keys_of_its_service(self) -> Place:
        url = getattr(self, "url", None)
        said = self.model_fields_set & KEYS
        if said and isinstance(url, str) and is_url(url) and url.partition(":")[0] not in SERVICES:
            raise rule(f"{min(said)} is for {', '.join(SERVICES)}: fsspec has a configuration of its own")
        return self

    def store(self, url: str) -> StoreSettings:
        """The store at `url`."""
        return StoreSettings(
            url,
            self.endpoint,
            self.region,
            self.account,
            anonymous=self.anonymous,
            connect=self.connect,
            silence=self.silence,
            retry=self.retry,
        )

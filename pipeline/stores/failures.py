"""The errors of obstore as `StoreFailure`. Their own texts hold whole URLs, which may be signed: none is passed on."""

from __future__ import annotations

import re

from pipeline.stores.store import Fault, StoreFailure

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9]{1,60})\s*</Code>|\"(?:reason|code)\": *\"([A-Za-z0-9]{1,60})\"")
_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound", "InvalidBucketName", "AllAccessDisabled"})
_CREDENTIALS = frozenset(
    {"SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken", "InvalidToken", "AuthenticationFailed"}
    | {"TokenRefreshRequired", "RequestTimeTooSkewed", "InvalidAuthenticationInfo"}
)
_ELSEWHERE = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"})
_TAKEN = frozenset({"AlreadyExistsError", "PreconditionError"})
_ASKED_FOR_CREDENTIALS = re.compile(
    r"https?://(?:169\.254\.|metadata\.google|\[?fd00:ec2)|token request|credential", re.I
)


def failure_of(error: Exception, scheme: str) -> StoreFailure:
    """`error` of obstore, for a store whose URLs begin with `scheme`."""
    text = str(error).partition("Debug source")[0]
    name = type(error).__name__
    if name == "InvalidPathError" or isinstance(error, ValueError):
        return StoreFailure(Fault.BAD_NAME, _bad_name(text))
    if _ASKED_FOR_CREDENTIALS.search(text):
        return StoreFailure(Fault.NO_STORE, f"needs credentials, and none were found: {_where(scheme)}")
    status, code = _first(_STATUS, text), _first(_CODE, text)
    said = " ".join(filter(None, (status, code))) or "no status"
    whose = (
        (code in _NO_BUCKET, Fault.NO_STORE, "does not exist ({}): see the name of its bucket, endpoint and region"),
        (code in _ELSEWHERE, Fault.NO_STORE, "is in another region ({}): see `region:`, or AWS_REGION"),
        (code in _CREDENTIALS or status == "401", Fault.NO_STORE, f"refuses the credentials ({{}}): {_where(scheme)}"),
        (name in _TAKEN or status == "412", Fault.TAKEN, "has another object of this name ({})"),
        (status == "403", Fault.DENIED, "denies it ({}): these credentials lack the right to do this"),
        (isinstance(error, FileNotFoundError), Fault.MISSING, "has no such object ({})"),
        (status == "404", Fault.NO_STORE, "does not exist ({}): see the name of its bucket, endpoint and region"),
        (status.startswith("4") and status != "429", Fault.OTHER, "refuses the request ({})"),
    )
    for applies, fault, does in whose:
        if applies:
            return StoreFailure(fault, does.format(said))
    if "Account must be specified" in text:
        return StoreFailure(Fault.NO_STORE, "needs a storage account: `account:`, or AZURE_STORAGE_ACCOUNT_NAME")
    if status:
        return StoreFailure(Fault.UNREACHABLE, f"answers with errors ({said})")
    return _without_status(str(error))


def _without_status(text: str) -> StoreFailure:
    """A request that got no answer, or half of one."""
    if re.search("Time-?[Oo]ut|TimedOut|timed out", text):
        return StoreFailure(Fault.UNREACHABLE, "did not answer in time")
    if "kind: Connect" in text:
        return StoreFailure(Fault.UNREACHABLE, "cannot be reached: no connection")
    return StoreFailure(Fault.UNREACHABLE, "broke off the connection")


def _where(scheme: str) -> str:
    return {
        "s3": "see AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile in ~/.aws/credentials; a public bucket "
        "takes `anonymous: true`",
        "gs": "see GOOGLE_APPLICATION_CREDENTIALS; a public bucket takes `anonymous: true`",
        "az": "see AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN; a public container takes `anonymous: true`",
    }[scheme]


def _bad_name(text: str) -> str:
    quoted = re.search(r'Path "(.*?)"(?: contained|:)', text, re.S)
    return f"has an object that cannot be named: {quoted[1]!r}" if quoted else "has an object that cannot be named"


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return next(filter(None, found.groups()), "") if found else ""

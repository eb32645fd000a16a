"""An item-changed message with private texts, in every odd form in which one may come (R46)."""

import base64
import gzip
import json
import zlib
from collections.abc import Mapping
from typing import Any

from contracts.envelope import LARGEST_BODY
from tests.support.letters import ITEM, a_body

SECRET = "Oncologist"
TEXTS = {
    "title": SECRET,
    "description": f"{SECRET} at nine",
    "location": SECRET,
    "account_name": SECRET,
    "reference": {"label": SECRET, "url": f"https://{SECRET}"},
}
PRIVATE_ITEM = ITEM | TEXTS | {"private": True}
EVENT: dict[str, Any] = json.loads(a_body(item=PRIVATE_ITEM))


def as_bytes(document: object) -> bytes:
    return json.dumps(document).encode()


def with_item(**different: Any) -> bytes:
    return a_body(item=PRIVATE_ITEM | different)


def without(name: str) -> bytes:
    return as_bytes({key: value for key, value in EVENT.items() if key != name})


ODD: Mapping[str, bytes] = {
    "well-formed": as_bytes(EVENT),
    "no envelope": as_bytes(EVENT["data"]),
    "the item alone": as_bytes(PRIVATE_ITEM),
    "an array": as_bytes([EVENT]),
    "a text": as_bytes(json.dumps(EVENT)),
    "a text of a text": as_bytes(json.dumps(json.dumps(EVENT))),
    "no type": without("type"),
    "another type": as_bytes(EVENT | {"type": "com.vorex.calendar.item.changed.v2"}),
    "a type that is a list": as_bytes(EVENT | {"type": [SECRET]}),
    "UTF-16": json.dumps(EVENT).encode("utf-16"),
    "UTF-16 without a mark": json.dumps(EVENT).encode("utf-16-le"),
    "UTF-32": json.dumps(EVENT).encode("utf-32"),
    "with a mark": b"\xef\xbb\xbf" + as_bytes(EVENT),
    "latin-1": as_bytes(EVENT).replace(b"nine", b"\xfcber"),
    "escaped": as_bytes(EVENT).replace(b'"private"', b'"\\u0070rivate"'),
    "escaped names": as_bytes(EVENT).replace(b'"title"', b'"\\u0074itle"'),
    "cut off": as_bytes(EVENT)[:-3],
    "cut off early": as_bytes(EVENT)[: as_bytes(EVENT).index(b"assignees")],
    "single quotes": as_bytes(EVENT).replace(b'"', b"'"),
    "broken": as_bytes(EVENT).replace(b'"e-1"', b'"e-1'),
    "private comes later once more": as_bytes(EVENT).replace(
        b'"private": true', b'"private": true, "private": false'
    ),
    "the item comes twice": as_bytes(EVENT)[:-2] + b', "item": {"id": "1", "type": "task"}}}',
    "the data come twice": as_bytes(EVENT)[:-1] + b', "data": {"tenant_id": "acme"}}',
    "private in words": with_item(private="yes"),
    "private as a number": with_item(private=1),
    "private as nought": with_item(private=0),
    "private misspelt": a_body(item=ITEM | TEXTS | {"Private": True}),
    "private in another language": a_body(item=ITEM | TEXTS | {"privat": True}),
    "private beside the item": a_body(item=ITEM | TEXTS, private=True),
    "private beside the data": as_bytes(json.loads(a_body(item=ITEM | TEXTS)) | {"private": True}),
    "a text beside the item": a_body(item=ITEM | {"private": True}, title=SECRET),
    "a text beside the data": as_bytes(EVENT | {"title": SECRET}),
    "a text under an unknown name": with_item(note=SECRET),
    "a text as a name": with_item(**{SECRET: True}),
    "a text as the start": with_item(start=SECRET),
    "a text as the zone": with_item(time_zone=f"{SECRET} Street"),
    "a text like a zone": with_item(time_zone=SECRET),
    "a text like a zone's place": with_item(time_zone=f"Europe/{SECRET}"),
    "a text of hexadecimal letters": as_bytes(EVENT | {"traceparent": "decade"}).replace(
        b'"decade"', b'"decade", "tracestate": "%s"' % SECRET.encode()
    ),
    "compressed": gzip.compress(as_bytes(EVENT)),
    "compressed otherwise": zlib.compress(as_bytes(EVENT)),
    "UTF-16 from the other end": json.dumps(EVENT).encode("utf-16-be"),
    "UTF-7": json.dumps(EVENT).encode("utf-7"),
    "with a comment": b"/* x */" + as_bytes(EVENT),
    "a comma too many": as_bytes(EVENT)[:-1] + b",}",
    "a wrapped array": as_bytes([[EVENT]]),
    "two tenants": as_bytes([EVENT, EVENT | {"data": EVENT["data"] | {"tenant_id": "other"}}]),
    "data as a text": as_bytes(EVENT | {"data": json.dumps(EVENT["data"])}),
    "data in base64": as_bytes(
        {name: value for name, value in EVENT.items() if name != "data"}
        | {"data_base64": base64.b64encode(as_bytes(EVENT["data"])).decode()}
    ),
    "the data within the data": as_bytes(EVENT | {"data": {"tenant_id": "acme", "data": EVENT["data"]}}),
    "the item within the item": with_item(item=PRIVATE_ITEM, private=False),
    "a tenant as a number": a_body(item=PRIVATE_ITEM, tenant_id=5),
    "tenants in a list": a_body(item=PRIVATE_ITEM, tenant_id=["acme"]),
    "private in capitals": as_bytes(EVENT).replace(b'"private": true', b'"PRIVATE": true'),
    "private with a mark": as_bytes(EVENT).replace(b'"private"', b'"\\u200bprivate"'),
    "private in full width": as_bytes(EVENT).replace(b'"private"', b'"\\uff50rivate"'),
    "a text as the version": a_body(item=PRIVATE_ITEM, version=SECRET),
    "a text as the subject": as_bytes(EVENT | {"subject": SECRET}),
    "an object as the title": with_item(title={"text": SECRET}),
    "a list as the title": with_item(title=[SECRET]),
    "an object as the id": as_bytes(EVENT | {"id": {"text": SECRET}}),
    "half a surrogate pair": with_item(title=f"{SECRET} \ud800"),
    "deeply nested": as_bytes(EVENT)[:-1] + b', "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "many digits": as_bytes(EVENT).replace(b'"version": 0', b'"version": ' + b"9" * 5000),
    "not a number": as_bytes(EVENT).replace(b'"version": 0', b'"version": NaN'),
    "too large": with_item(description=SECRET * (LARGEST_BODY // len(SECRET) + 1)),
    "too large and broken": with_item(description=SECRET * (LARGEST_BODY // len(SECRET) + 1))[:-3],
    "two messages": as_bytes(EVENT) + b"\n" + as_bytes(EVENT),
    "blanks": b" " * 1000 + as_bytes(EVENT),
    "a fragment of the tail": as_bytes(EVENT)[as_bytes(EVENT).index(b'"item"') :],
    "base64": base64.b64encode(as_bytes(EVENT)),
}

"""Plays the story of the App Runner API on standard input through botocore. Exit status 1, and a line for each fault, when an answer is
not as told. The form of a story is described in story_test.go."""
import json
import sys
import time

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

story = json.load(sys.stdin)
known, faults = story["vars"], []
client = botocore.session.get_session().create_client("apprunner", config=Config(retries={"max_attempts": 0}))
methods = {api: method for method, api in client.meta.method_to_api_mapping.items()}


def fill(value):
    if isinstance(value, dict):
        return {k: fill(v) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v) for v in value]
    if isinstance(value, str):
        for name, text in known.items():
            value = value.replace("${" + name + "}", text)
    return value


def at(answer, path):
    for part in path.split("."):
        answer = answer[int(part)] if isinstance(answer, list) else answer.get(part)
    return answer


def play(step):
    call, params = getattr(client, methods[step["do"]]), fill(step["input"])
    if "error" in step:
        try:
            call(**params)
            raise AssertionError("not refused")
        except ClientError as e:
            assert isinstance(e, getattr(client.exceptions, step["error"])) and e.response["Error"]["Message"], repr(e)
            return
    if "pages" in step:
        p, found, token = step["pages"], [], {}
        while True:
            page = call(MaxResults=p["size"], **params, **token)
            assert len(page[p["key"]]) <= p["size"], f"a page has {len(page[p['key']])} entries"
            found += page[p["key"]]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        assert len(found) >= p["least"], f"{len(found)} entries in pages"
        assert len({json.dumps(f, default=str) for f in found}) == len(found), "an entry shows twice"
        return
    for path, value in step.get("until", {}).items():
        for _ in range(600):
            if at(call(**params), path) == value:
                return
            time.sleep(0.1)
        raise AssertionError(f"{path} does not become {value}")
    answer = call(**params)
    for path, value in step.get("want", {}).items():
        assert at(answer, path) == fill(value), f"{path} is {at(answer, path)}, want {fill(value)}"
    for name, path in step.get("save", {}).items():
        known[name] = at(answer, path)


for n, step in enumerate(story["steps"]):
    try:
        play(step)
    except Exception as e:
        print(f"step {n}, {step['do']} {fill(step['input'])}: {type(e).__name__} {e}")
        sys.exit(1)  # what follows rests on it

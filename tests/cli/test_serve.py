# SPDX-License-Identifier: Apache-2.0
"""strata serve, asked as clients do; with STRATA_SOAK under a longer load."""
import concurrent.futures
import contextlib
import http.client
import importlib.util
import json
import os
import random
import select
import signal
import socket
import threading
import time
import unittest

import numpy as np

from harness import StrataTest, is_sanitized, read_safetensors
from serving import Server

SOAK = bool(os.environ.get("STRATA_SOAK"))
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
HELLO = {"messages": [{"role": "user", "content": "Hello"}], "temperature": 0, "ignore_eos": True}


def texts(events):
    """The choices' texts, their reasons to end, and the usage."""
    made, ends, usage = {}, {}, None
    for event in events:
        usage = event.get("usage") or usage
        for choice in event["choices"]:
            part = choice["text"] if "text" in choice else choice["delta"].get("content", "")
            made[choice["index"]] = made.get(choice["index"], "") + part
            ends[choice["index"]] = choice["finish_reason"] or ends.get(choice["index"])
    return made, ends, usage


class ServeTest(StrataTest):
    """One server for all tests that leave it as it was."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.talking_checkpoint()
        cls.server = Server(cls.model, cls.environment(), "-np", 3, "-c", 256, "--queue", 8)
        cls.addClassCleanup(cls.server.stop, signal.SIGKILL)
        cls.ask, cls.events = cls.server.ask, cls.server.events

    def tearDown(self):
        self.assertEqual(self.ask("/health")[0], 200)

    def test_answer_is_that_of_chat(self):
        want = self.strata("chat", self.model, "--temp", 0, "-n", 12, "--ignore-eos", stdin=b"Hello\n").text
        status, answer = self.ask(CHAT, HELLO | {"max_tokens": 12, "cache_prompt": False})
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer["choices"][0]["message"]["content"] + "\n", want)
        self.assertEqual(answer["choices"][0]["finish_reason"], "length")
        self.assertEqual(answer["usage"]["completion_tokens"], 12)

    def test_completion_is_that_of_run(self):
        for arguments, body in ((("--temp", 0), {"temperature": 0}),
                                (("--temp", 1.5, "-s", 7), {"temperature": 1.5, "seed": 7})):
            want = self.strata("run", self.model, "-p", "The sun", "-n", 12, "--ignore-eos", *arguments).text
            answer = self.ask(COMPLETIONS, {"prompt": "The sun", "max_tokens": 12, "ignore_eos": True,
                                            "cache_prompt": False} | body)[1]
            self.assertEqual(answer["choices"][0]["text"] + "\n", want)

    def test_grammar_is_that_of_run(self):
        grammar = self.work / "grammar.gbnf"
        grammar.write_text('root ::= " " ("yes" | "no") ("," [a-z]{3} | "!")*')
        for arguments, body in ((("--temp", 0), {"temperature": 0}),
                                (("--temp", 1.5, "-s", 7), {"temperature": 1.5, "seed": 7})):
            want = self.strata("run", self.model, "-p", "The sun", "-n", 12, "--grammar", grammar, *arguments).text
            answer = self.ask(COMPLETIONS, {"prompt": "The sun", "max_tokens": 12, "cache_prompt": False,
                                            "grammar": grammar.read_text()} | body)[1]
            self.assertEqual(answer["choices"][0]["text"] + "\n", want)
            self.assertRegex(want, "^ (yes|no)(,[a-z]*|!)*\n$")
        grammar.write_text("root ::= a")
        self.assert_error(self.strata("run", self.model, "-p", "a", "--grammar", grammar), 2, "line 1", "rule a")
        grammar.write_text('{"type": "object", "not": {}}')
        self.assert_error(self.strata("chat", self.model, "--json-schema", grammar), 2, '"not" at #')

    def test_random_model_answers_as_the_schema_says(self):
        schema = {"type": "object", "properties": {
            "name": {"type": "string", "maxLength": 8}, "size": {"type": "number", "minimum": 0, "maximum": 5},
            "kind": {"enum": ["a", "b"]}, "tags": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3}},
            "required": ["name", "size", "kind", "tags"], "additionalProperties": False}
        for seed in range(4):
            answer = self.ask(CHAT, HELLO | {"temperature": 2, "seed": seed, "ignore_eos": False, "logprobs": True,
                                             "response_format": {"type": "json_schema", "json_schema": {
                                                 "name": "x", "schema": schema}}})[1]["choices"][0]
            self.assertEqual(answer["finish_reason"], "stop", answer)
            made = json.loads(answer["message"]["content"])
            self.assertEqual(set(made), set(schema["required"]))
            self.assertLessEqual(len(made["name"]), 8)
            self.assertTrue(0 <= made["size"] <= 5 and made["kind"] in "ab" and len(made["tags"]) <= 3)

    def test_stream_is_the_whole_in_parts(self):
        for seed in range(4):
            for path, body in ((CHAT, HELLO | {"n": 2}), (COMPLETIONS, {"prompt": ["The sun", [5, 6]], "logprobs": 2})):
                body = body | {"temperature": 3, "seed": seed, "max_tokens": 20, "cache_prompt": False,
                               "stop": ["e", "zz"]}
                answer = self.ask(path, body)[1]
                events = list(self.events(path, body | {"stream_options": {"include_usage": True}}))
                made, ends, usage = texts(events)
                self.assertEqual(usage, answer["usage"])
                for choice in answer["choices"]:
                    whole = choice["text"] if "text" in choice else choice["message"]["content"]
                    self.assertEqual(made[choice["index"]], whole)
                    self.assertEqual(ends[choice["index"]], choice["finish_reason"])

    def test_prompt_goes_on_from_the_cache(self):
        body = {"prompt": list(range(40, 140)), "max_tokens": 8, "temperature": 0}
        first = self.ask(COMPLETIONS, body)[1]
        again = self.ask(COMPLETIONS, body)[1]
        self.assertEqual(again["usage"]["prompt_tokens_details"]["cached_tokens"], 99)
        self.assertEqual(again["choices"], first["choices"])

    def test_prompts_share_their_beginning(self):
        bodies = [{"prompt": [*range(340, 440), *[200 + i] * 20], "max_tokens": 4, "temperature": 0} for i in range(3)]

        def ask(body):
            answer = self.ask(COMPLETIONS, body)[1]
            return answer["choices"], answer["usage"]["prompt_tokens_details"]["cached_tokens"]

        alone = [self.ask(COMPLETIONS, body | {"cache_prompt": False})[1]["choices"] for body in bodies]
        first, again = [ask(body) for body in bodies], [ask(body) for body in bodies]
        self.assertEqual([choices for choices, _ in first], alone)
        self.assertEqual([choices for choices, _ in again], alone)
        self.assertTrue(all(cached >= 100 for _, cached in first + again), first + again)

    def test_texts_made_together_are_what_they_are_alone(self):
        bodies = [{"prompt": list(range(i, i + 5 * i + 1)), "max_tokens": 10, "temperature": 0, "cache_prompt": False}
                  for i in range(1, 9)]
        alone = [self.ask(COMPLETIONS, body)[1]["choices"] for body in bodies]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda body: self.ask(COMPLETIONS, body), bodies))
        self.assertEqual([answer["choices"] for _, answer in together], alone)

    def test_embeddings_are_what_the_logits_are_made_of(self):
        """The model's head is its embedding: the likeliest token is the nearest to the hidden row."""
        header, body = read_safetensors(self.model / "model.safetensors")
        begin, end = header["model.embed_tokens.weight"]["data_offsets"]
        matrix = np.frombuffer(body[begin:end], "<f4").reshape(header["model.embed_tokens.weight"]["shape"])
        inputs = [[7], list(range(30, 130)), [5, 6]]
        answer = self.ask("/v1/embeddings", {"input": inputs})[1]
        self.assertEqual(answer["usage"]["prompt_tokens"], 103)
        for tokens, entry in zip(inputs, answer["data"], strict=True):
            row = np.array(entry["embedding"])
            self.assertAlmostEqual(float(row @ row), 1, 5)
            likeliest = self.ask("/detokenize", {"tokens": [int(np.argmax(matrix @ row))]})[1]["content"]
            made = self.ask(COMPLETIONS, {"prompt": tokens, "max_tokens": 1, "temperature": 0, "ignore_eos": True,
                                          "logprobs": 0})[1]
            self.assertEqual(made["choices"][0]["logprobs"]["tokens"], [likeliest])

    def test_full_queue_refuses_soon_and_health_stays_quick(self):
        body = {"prompt": "a", "max_tokens": -1, "temperature": 0, "ignore_eos": True, "cache_prompt": False}

        def ask(_):
            begin = time.monotonic()
            status, answer = self.ask(COMPLETIONS, body)
            return status, time.monotonic() - begin, answer

        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            asked = [pool.submit(ask, number) for number in range(40)]
            health = sorted(self.timed_health() for _ in range(9))
            answers = [one.result() for one in asked]
        self.assertEqual({status for status, _, _ in answers}, {200, 429})
        refused = [(seconds, answer) for status, seconds, answer in answers if status == 429]
        self.assertEqual(refused[0][1]["error"]["code"], "queue_full")
        if not is_sanitized():
            # Of the middle one: the test's own threads share the processors.
            self.assertLess(sorted(seconds for seconds, _ in refused)[len(refused) // 2], 5)
            self.assertLess(health[len(health) // 2], 1)

    def timed_health(self):
        begin = time.monotonic()
        self.ask("/health")
        return time.monotonic() - begin

    def test_client_that_goes_frees_its_slot(self):
        before = self.server.metric("strata_cancelled_total")
        rng = random.Random(int(os.environ.get("STRATA_SEED", 1)))
        count = 1000 if SOAK else 12 if is_sanitized() else 50
        for _ in range(count):
            body = json.dumps({"prompt": list(range(30, 30 + rng.randrange(1, 200))), "max_tokens": -1,
                               "ignore_eos": True, "stream": rng.random() < 0.5})
            with socket.create_connection(("127.0.0.1", self.server.port)) as client:
                client.sendall(f"POST {COMPLETIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
                               .encode() + body.encode()[:rng.choice([10, None, None, None])])
                if rng.random() < 0.5:
                    select.select([client], [], [], rng.random() * 0.05)

        def is_idle():
            load = self.ask("/health")[1]
            return load["running"] == 0 and load["waiting"] == 0

        self.server.wait_for(is_idle, 5)
        self.assertGreater(self.server.metric("strata_cancelled_total"), before)

    def test_hostile_requests_get_an_error(self):
        head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\n".encode()

        def post(body, more=b""):
            return head + more + b"Content-Length: %d\r\n\r\n" % len(body) + body

        deep = b'{"messages":' + b"[" * 500_000
        message = b'{"messages":[{"role":"user","content":"%s"}],"max_tokens":1}'
        cases = {
            "no body": (head + b"\r\n", 411),
            "empty": (post(b""), 400),
            "no JSON": (post(b"hello"), 400),
            "half": (post(b'{"messages":'), 400),
            "deep": (post(deep), 400),
            "NUL": (post(b'{"messages":\0}'), 400),
            "bad UTF-8": (post(message % b"\xff\xfe"), 400),
            "surrogate": (post(message % b"\\ud800"), 400),
            "huge number": (post(b'{"messages":[{"role":"user","content":"a"}],"max_tokens":1e400}'), 400),
            "long number": (post(b'{"messages":[{"role":"user","content":"a"}],"seed":' + b"9" * 5000 + b"}"), 400),
            "negative": (post(b'{"messages":[{"role":"user","content":"a"}],"n":-1}'), 400),
            "wrong types": (post(b'{"messages":"a","stream":"yes"}'), 400),
            "many keys": (post(b"{" + b",".join(b'"%d":1' % i for i in range(5000)) + b"}"), 400),
            "too long": (post(message % (b"word " * 10_000)), 400),
            "NUL in a text": (post(message % b"a\\u0000b"), 200),
            "template's own": (post(message % b"{{ 1/0 }}{% for %}"), 200),
            "special tokens": (post(message % (b"<|im_end|>" * 5)), 200),
            "large": (head + b"Content-Length: 99999999999\r\n\r\n", 413),
            "larger": (head + b"Content-Length: 999999999999999999999999\r\n\r\n", 413),
            "negative length": (head + b"Content-Length: -5\r\n\r\n", 400),
            "two lengths": (post(b"{}", b"Content-Length: 5\r\n"), 400),
            "both": (post(b"{}", b"Transfer-Encoding: chunked\r\n"), 400),
            "gzip": (post(b"\x1f\x8b", b"Content-Encoding: gzip\r\n"), 415),
            "bad chunk": (head + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
            "huge chunk": (head + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc", 400),
            "large by chunks": (head + b"Transfer-Encoding: chunked\r\n\r\n" +
                                (b"100000\r\n" + b" " * 0x100000 + b"\r\n") * 20, 413),
            "multipart": (post(b"--x\r\n" * 1000, b"Content-Type: multipart/form-data; boundary=x\r\n"), 400),
            "ranges": (b"GET /health HTTP/1.1\r\nHost: localhost\r\nRange: bytes=" + b"0-1," * 1900 + b"\r\n\r\n", 200),
            "long path": (b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
            "longer path": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
            "escapes": (b"GET /%00%ff%zz..%2f HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
            "header": (b"GET /health HTTP/1.1\r\n" + b"A: b\r\n" * 20_000, 431),
            "no HTTP": (b"\x16\x03\x01\x02\x00 TLS\r\n\r\n", 400),
            "no host": (b"GET /health HTTP/1.1\r\n\r\n", 403),
            "other host": (b"GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
            "other origin": (post(message % b"a", b"Origin: http://evil.example\r\n"), 403),
            "no method": (b"BREW /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
            "other method": (b"DELETE /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
            "options": (b"OPTIONS /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
            "head": (b"HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        }
        for name, (data, status) in cases.items():
            with self.subTest(name):
                begin = time.monotonic()
                answer, content = self.server.raw(data)
                self.assertEqual(answer, status, content[:300])
                self.assertLess(time.monotonic() - begin, 5)
                if status >= 400:
                    self.assertTrue(json.loads(content)["error"]["message"])

    def test_requests_share_a_connection(self):
        connection = self.server.connect()
        for path, body in (("/health", None), (COMPLETIONS, '{"prompt": "a", "max_tokens": 1}'), ("/nothing", None),
                           (COMPLETIONS, "{"), ("/v1/models", None)):
            connection.request("GET" if body is None else "POST", path, body)
            connection.getresponse().read()
        self.assertIsNotNone(connection.sock)
        connection.close()

    def test_openai_client(self):
        if importlib.util.find_spec("openai") is None:
            self.skipTest("the client is not installed: pip install openai")
        import openai
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{self.server.port}/v1", api_key="any")
        self.assertEqual(client.models.list().data[0].id, client.models.retrieve(client.models.list().data[0].id).id)
        options = {"model": "any", "messages": HELLO["messages"], "temperature": 0, "max_completion_tokens": 12}
        answer = client.chat.completions.create(**options)
        parts = list(client.chat.completions.create(**options, stream=True, stream_options={"include_usage": True}))
        text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
        self.assertEqual(text, answer.choices[0].message.content)
        self.assertEqual(parts[-1].usage.completion_tokens, answer.usage.completion_tokens)
        scored = client.chat.completions.create(**options, logprobs=True, top_logprobs=3)
        self.assertEqual(len(scored.choices[0].logprobs.content), scored.usage.completion_tokens)
        completion = client.completions.create(model="any", prompt="The sun", max_tokens=5, n=2, logprobs=1)
        self.assertEqual(len(completion.choices), 2)
        with self.assertRaises(openai.BadRequestError):
            client.chat.completions.create(model="any", messages=[])
        with self.assertRaises(openai.NotFoundError):
            client.models.retrieve("other")
        shaped = client.chat.completions.create(**options | {"max_completion_tokens": 200}, response_format={
            "type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {"enum": ["yes", "no"]}}})
        self.assertIn(json.loads(shaped.choices[0].message.content), ["yes", "no"])
        shaped = client.responses.create(model="any", input="Hello", text={"format": {
            "type": "json_schema", "name": "x", "schema": {"const": 7}}})
        self.assertEqual(shaped.output_text, "7")
        with self.assertRaises(openai.BadRequestError):
            client.chat.completions.create(**options, response_format={"type": "json_schema", "json_schema": {
                "name": "x", "schema": {"not": {}}}})
        embedded = client.embeddings.create(model="any", input=["Hello", "The sun"])
        plain = self.ask("/v1/embeddings", {"input": "The sun"})[1]["data"][0]["embedding"]
        self.assertLess(np.abs(np.array(embedded.data[1].embedding) - plain).max(), 1e-4)
        options = {"model": "any", "input": "Hello", "temperature": 0, "max_output_tokens": 12}
        response = client.responses.create(**options)
        self.assertEqual(response.output_text, answer.choices[0].message.content)
        events = list(client.responses.create(**options, stream=True))
        self.assertEqual("".join(e.delta for e in events if e.type == "response.output_text.delta"),
                         response.output_text)
        self.assertEqual(events[-1].response.output_text, response.output_text)

    def test_anthropic_client(self):
        if importlib.util.find_spec("anthropic") is None:
            self.skipTest("the client is not installed: pip install anthropic")
        import anthropic
        client = anthropic.Anthropic(base_url=f"http://127.0.0.1:{self.server.port}", api_key="any")
        options = {"model": "any", "messages": HELLO["messages"], "max_tokens": 12, "extra_body": {"temperature": 0}}
        answer = client.messages.create(**options)
        want = self.ask(CHAT, {"messages": HELLO["messages"], "temperature": 0, "max_tokens": 12})[1]
        self.assertEqual("".join(block.text for block in answer.content), want["choices"][0]["message"]["content"])
        self.assertIn(answer.stop_reason, ("max_tokens", "end_turn"))
        with client.messages.stream(**options) as stream:
            self.assertEqual("".join(stream.text_stream), "".join(block.text for block in answer.content))
            self.assertEqual(stream.get_final_message().usage.output_tokens, answer.usage.output_tokens)
        with self.assertRaises(anthropic.BadRequestError):
            client.messages.create(**options | {"messages": []})


class OwnServerTest(StrataTest):
    """Servers that a test starts and ends."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.talking_checkpoint()

    def serve(self, *arguments):
        server = Server(self.model, self.environment(), "-c", 256, *arguments)
        self.addCleanup(server.stop, signal.SIGKILL)
        return server

    def test_signals_end_it_with_their_codes(self):
        for how, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            server = self.serve()
            idle = server.connect()
            idle.request("GET", "/health")
            idle.getresponse().read()
            begin = time.monotonic()
            result, errors = server.stop(how)
            self.assertEqual(result, code, errors)
            self.assertNotIn("error", errors)
            if not is_sanitized():
                self.assertLess(time.monotonic() - begin, 5)
            idle.close()

    def test_texts_that_are_being_made_are_finished_or_ended(self):
        server = self.serve("-np", 1)
        endless = json.dumps({"prompt": "a", "max_tokens": -1, "ignore_eos": True, "stream": True,
                              "stop": "never to be seen"})
        stop = threading.Event()
        codes = []

        def ask():
            while not stop.is_set():
                with (contextlib.suppress(OSError, http.client.HTTPException),
                      contextlib.closing(server.connect()) as connection):
                    connection.request("POST", COMPLETIONS, endless)
                    response = connection.getresponse()
                    codes.append((response.status, response.read()[-200:]))

        clients = [threading.Thread(target=ask) for _ in range(4)]
        for client in clients:
            client.start()
        try:
            server.wait_for(lambda: len(codes) > 4)
            begin = time.monotonic()
            code, errors = server.stop()
        finally:
            stop.set()
            for client in clients:
                client.join()
        self.assertEqual(code, 143, errors)
        if not is_sanitized():
            self.assertLess(time.monotonic() - begin, 10)
        for status, end in codes:
            self.assertIn(status, (200, 503))
            self.assertTrue(status == 503 or b"[DONE]" in end or b"shutting down" in end, end)

    def test_keys_let_in(self):
        server = self.serve("--api-key", "one", "--api-key", "two")
        self.assertEqual(server.ask("/v1/models")[0], 401)
        self.assertEqual(server.ask("/v1/models")[1]["error"]["code"], "invalid_api_key")
        self.assertEqual(server.ask("/metrics")[0], 401)
        self.assertEqual(server.ask("/health")[0], 200)
        for headers in ({"Authorization": "Bearer two"}, {"x-api-key": "one"}):
            self.assertEqual(server.ask("/v1/models", headers=headers)[0], 200)
        self.assertEqual(server.ask(COMPLETIONS, {"prompt": "a"}, {"Authorization": "Bearer on"})[0], 401)

    def test_port_in_use(self):
        server = self.serve()
        result = self.strata("serve", self.model, "--port", server.port, "-c", 256)
        self.assert_error(result, 5, "port is in use", str(server.port), "--port")

    def test_wrong_usage(self):
        for arguments, words in ((("--port", 70000), ["70000"]), (("-np", 0), ["0"]), (("--api-key", ""), ["key"]),
                                 (("--host", ""), ["--host"]), (("--cors", "page.example"), ["page.example"]),
                                 (("--host", "no.such.host."), ["no.such.host."]), (("-c", 10**9), ["-c"])):
            self.assert_error(self.strata("serve", self.model, "--port", 0, *arguments), 2, *words)

    def test_model_without_a_tokenizer(self):
        self.assert_error(self.strata("serve", self.checkpoint("qwen3-nano"), "--port", 0), 3, "tokenizer.json")

    def test_many_connections(self):
        server = self.serve()
        count = 1000 if SOAK else 300
        clients = []
        self.addCleanup(lambda: [client.close() for client in clients])
        for _ in range(count):
            clients.append(socket.create_connection(("127.0.0.1", server.port), timeout=10))
        begin = time.monotonic()
        self.assertEqual(server.ask("/health")[0], 200)
        if not is_sanitized():
            self.assertLess(time.monotonic() - begin, 3)

    def test_load(self):
        """Users who ask one thing after another: no errors, and no memory that grows."""
        server = self.serve("-np", 4)
        each = 250 if SOAK else 4 if is_sanitized() else 25

        def user(number):
            rng = random.Random(number)
            for _ in range(each):
                words = " ".join(rng.choices(["sun", "moon", "light", "é", "water"], k=rng.randrange(1, 60)))
                body = {"max_tokens": rng.randrange(1, 12), "temperature": 1, "seed": rng.randrange(1000)}
                if rng.random() < 0.5:
                    made, _, _ = texts(server.events(CHAT, body | {"messages": [{"role": "user", "content": words}]}))
                    self.assertIn(0, made)
                else:
                    status, answer = server.ask(COMPLETIONS, body | {"prompt": words})
                    self.assertEqual(status, 200, answer)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(user, range(8)))
            warm = server.resident_kib()
            list(pool.map(user, range(8, 8 + (8 if SOAK else 2))))
        if not is_sanitized():
            self.assertLess(server.resident_kib(), 1.05 * warm + 4096)
        self.assertEqual(server.ask("/health")[1]["running"], 0)
        files = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        self.assertLess(files, 40)


if __name__ == "__main__":
    unittest.main()

"""What a competent user would write in an afternoon, for the benchmark to hold the agent against.

`poll` lists channels, endpoints and alarms, asks for every metric that CloudWatch lists, and
publishes all of it as retained JSON, again in every round. `listen` takes what SNS posts, checks
its signature, publishes it and then answers.
"""

import argparse
import base64
import json
import time
import urllib.request
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAMESPACE = "AWS/MediaPackage"
STATISTICS = {
    "ActiveInput": "Maximum",
    "EgressResponseTime": "Average",
    "IngressResponseTime": "Average",
}
# What GetMetricData takes at once.
QUERIES_MAX = 500
# CloudWatch is some minutes late; the newest of these is what is shown.
LOOK_BACK = timedelta(minutes=10)
LIST_INTERVAL = 600
SIGNED_FIELDS = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]


def connect(port):
    import paho.mqtt.client as mqtt

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="yardstick")
    client.max_inflight_messages_set(64)
    client.will_set("script/status", "offline", qos=1, retain=True)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


class Poller:
    def __init__(self, aws, port):
        import boto3

        session = boto3.Session(
            aws_access_key_id="AKIASYNTHETIC0000001",
            aws_secret_access_key="not a secret",
            region_name="eu-central-1",
        )
        self.mediapackage = session.client("mediapackage", endpoint_url=aws)
        self.cloudwatch = session.client("cloudwatch", endpoint_url=aws)
        self.mqtt = connect(port)
        self.queries = []
        self.owners = []
        self.listed_at = None

    def publish(self, topic, value):
        payload = json.dumps(value, default=str)
        return self.mqtt.publish(f"script/{topic}", payload, qos=1, retain=True)

    def round(self):
        sent = None
        for page in self.mediapackage.get_paginator("list_channels").paginate():
            for channel in page["Channels"]:
                kept = ["Id", "Arn", "Description", "CreatedAt", "Tags"]
                shown = {key: channel.get(key) for key in kept}
                sent = self.publish(f"channel/{channel['Id']}", shown)
        for page in self.mediapackage.get_paginator("list_origin_endpoints").paginate():
            for endpoint in page["OriginEndpoints"]:
                kept = ["Id", "Arn", "ChannelId", "Description", "CreatedAt", "Url", "Tags"]
                shown = {key: endpoint.get(key) for key in kept}
                sent = self.publish(f"endpoint/{endpoint['Id']}", shown)
        for page in self.cloudwatch.get_paginator("describe_alarms").paginate():
            for alarm in page["MetricAlarms"]:
                if alarm.get("Namespace") == NAMESPACE:
                    kept = ["AlarmName", "StateValue", "StateReason", "StateUpdatedTimestamp"]
                    shown = {key: alarm.get(key) for key in kept}
                    sent = self.publish(f"alarm/{alarm['AlarmName']}", shown)
        for owner, values in self.metrics().items():
            sent = self.publish(f"{owner}/metrics", values)
        if sent:
            sent.wait_for_publish()

    def metrics(self):
        """The newest value of each metric, by channel and endpoint."""
        if self.listed_at is None or time.monotonic() - self.listed_at > LIST_INTERVAL:
            self.list_metrics()
        now = datetime.now(timezone.utc)
        shown = {}
        paginator = self.cloudwatch.get_paginator("get_metric_data")
        for first in range(0, len(self.queries), QUERIES_MAX):
            pages = paginator.paginate(
                MetricDataQueries=self.queries[first : first + QUERIES_MAX],
                StartTime=now - LOOK_BACK,
                EndTime=now,
                ScanBy="TimestampAscending",
            )
            for page in pages:
                for result in page["MetricDataResults"]:
                    if result["Values"]:
                        owner, name = self.owners[int(result["Id"][1:])]
                        values = shown.setdefault(owner, {})
                        values[name] = result["Values"][-1]
                        values["timestamp"] = result["Timestamps"][-1]
        return shown

    def list_metrics(self):
        self.queries, self.owners = [], []
        pages = self.cloudwatch.get_paginator("list_metrics").paginate(Namespace=NAMESPACE)
        for page in pages:
            for metric in page["Metrics"]:
                self.add_query(metric)
        self.listed_at = time.monotonic()

    def add_query(self, metric):
        dimensions = {d["Name"]: d["Value"] for d in metric["Dimensions"]}
        if "OriginEndpoint" in dimensions:
            owner = f"endpoint/{dimensions['OriginEndpoint']}"
        else:
            owner = f"channel/{dimensions.get('Channel')}"
        rest = [v for k, v in dimensions.items() if k not in ("Channel", "OriginEndpoint")]
        self.owners.append((owner, "_".join([metric["MetricName"], *rest])))
        query = {
            "Id": f"m{len(self.queries)}",
            "MetricStat": {
                "Metric": {
                    "Namespace": NAMESPACE,
                    "MetricName": metric["MetricName"],
                    "Dimensions": metric["Dimensions"],
                },
                "Period": 60,
                "Stat": STATISTICS.get(metric["MetricName"], "Sum"),
            },
        }
        self.queries.append(query)


def poll(aws, port, interval):
    poller = Poller(aws, port)
    while True:
        began = time.monotonic()
        poller.round()
        time.sleep(max(0.0, began + interval - time.monotonic()))


@lru_cache(maxsize=8)
def public_key(url, origin):
    from cryptography import x509

    if not url.startswith(f"{origin}/SimpleNotificationService-"):
        raise ValueError("not a certificate of SNS")
    with urllib.request.urlopen(url, timeout=5) as answer:
        return x509.load_pem_x509_certificate(answer.read()).public_key()


def verify(message, origin):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    digest = hashes.SHA256() if message["SignatureVersion"] == "2" else hashes.SHA1()
    fields = [f"{key}\n{message[key]}\n" for key in SIGNED_FIELDS if key in message]
    key = public_key(message["SigningCertURL"], origin)
    signature = base64.b64decode(message["Signature"])
    key.verify(signature, "".join(fields).encode(), padding.PKCS1v15(), digest)


def listen(aws, port, topic_arn, here):
    client = connect(port)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                message = json.loads(body)
                if message["TopicArn"] != topic_arn:
                    raise ValueError("another topic")
                verify(message, aws)
            except Exception as error:
                self.answer(403, str(error))
                return
            shown = {"message_id": message["MessageId"], "message": message["Message"]}
            payload = json.dumps(shown, separators=(",", ":"))
            client.publish("mediapackage/test/sns/message", payload, qos=1).wait_for_publish()
            self.answer(200)

        def answer(self, status, reason=None):
            self.send_response(status, reason)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "keep-alive")
            self.end_headers()

        def log_message(self, *_):
            pass

    ThreadingHTTPServer(("127.0.0.1", here), Handler).serve_forever()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--aws", required=True)
    parser.add_argument("--mqtt", type=int, required=True)
    commands = parser.add_subparsers(dest="command", required=True)
    polls = commands.add_parser("poll")
    polls.add_argument("--interval", type=float, required=True)
    listens = commands.add_parser("listen")
    listens.add_argument("--topic", required=True)
    listens.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    if asked.command == "poll":
        poll(asked.aws, asked.mqtt, asked.interval)
    else:
        listen(asked.aws, asked.mqtt, asked.topic, asked.port)


if __name__ == "__main__":
    main()

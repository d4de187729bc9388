#!/usr/bin/env python3
"""The owner of a topic and a queue at a running moto_server: one JSON command a line on standard
input, one JSON answer a line on standard output.

usage: owner.py --endpoint http://127.0.0.1:5055 --region eu-central-1 --key ID --secret SECRET
"""
import argparse
import json
import sys

import boto3


class Owner:
    def __init__(self, options):
        def client(service):
            return boto3.client(
                service,
                endpoint_url=options.endpoint,
                region_name=options.region,
                aws_access_key_id=options.key,
                aws_secret_access_key=options.secret,
            )

        self.sns = client("sns")
        self.sqs = client("sqs")

    def queue(self, name, attributes=None):
        made = self.sqs.create_queue(QueueName=name, Attributes=attributes or {})
        url = made["QueueUrl"]
        wanted = ["QueueArn"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)
        return {"url": url, "arn": found["Attributes"]["QueueArn"]}

    def remove_queue(self, url):
        self.sqs.delete_queue(QueueUrl=url)

    def topic(self, name):
        return self.sns.create_topic(Name=name)["TopicArn"]

    def subscribe(self, topic, queue, raw=False):
        attributes = {"RawMessageDelivery": "true"} if raw else {}
        made = self.sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=attributes
        )
        return made["SubscriptionArn"]

    def publish(self, topic, messages, subject=None):
        more = {"Subject": subject} if subject else {}
        publish = self.sns.publish
        sent = [publish(TopicArn=topic, Message=m, **more) for m in messages]
        return [one["MessageId"] for one in sent]

    def send(self, url, bodies):
        sent = [self.sqs.send_message(QueueUrl=url, MessageBody=b) for b in bodies]
        return [one["MessageId"] for one in sent]

    def left(self, url):
        """What is in the queue: visible and not."""
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)
        return [int(found["Attributes"][name]) for name in wanted]


def main():
    parser = argparse.ArgumentParser()
    for option in ["endpoint", "region", "key", "secret"]:
        parser.add_argument(f"--{option}", required=True)
    owner = Owner(parser.parse_args())
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(owner, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

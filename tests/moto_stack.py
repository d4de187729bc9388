#!/usr/bin/env python3
"""Deploy a CloudFormation template to a running moto_server; print what is there then as JSON.

usage: moto_stack.py --endpoint http://127.0.0.1:5055 --region eu-central-1 \\
           --template FILE [--parameter NAME=VALUE …]

moto's CloudFormation passes over alarms, subscriptions and the policies of topics and queues:
those are made here by calls with the same values. A message is published to the topic of the
outputs, and what comes out of the queue is printed too.
"""
import argparse
import json
import time

import boto3

ACCOUNT = "123456789012"
MESSAGE = "planted message"
STACK = "stack"


class Site:
    """A moto with one stack in it."""

    def __init__(self, options):
        self.options = options
        self.given = dict(p.split("=", 1) for p in options.parameter)
        with open(options.template, encoding="utf-8") as file:
            self.text = file.read()
        self.template = json.loads(self.text)
        self.made = {}

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.options.endpoint,
            region_name=self.options.region,
            aws_access_key_id="AKIASYNTHETIC0000000",
            aws_secret_access_key="synthetic",
        )

    def deploy(self):
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=STACK,
            TemplateBody=self.text,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in self.given.items()
            ],
        )
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        rows = cloudformation.list_stack_resources(StackName=STACK)
        for row in rows["StackResourceSummaries"]:
            if row["LogicalResourceId"]:
                self.made[row["LogicalResourceId"]] = row["PhysicalResourceId"]
        for name, resource in self.template["Resources"].items():
            if name not in self.made and self.holds(resource.get("Condition")):
                self.make(resource["Type"], self.resolve(resource["Properties"]))
        return {row["OutputKey"]: row["OutputValue"] for row in stack["Outputs"]}

    def make(self, kind, properties):
        """What moto's CloudFormation passes over."""
        if kind == "AWS::SNS::Subscription":
            attributes = {"RawMessageDelivery": str(properties["RawMessageDelivery"])}
            if "DeliveryPolicy" in properties:
                attributes["DeliveryPolicy"] = json.dumps(properties["DeliveryPolicy"])
            self.client("sns").subscribe(
                TopicArn=properties["TopicArn"],
                Protocol=properties["Protocol"],
                Endpoint=properties["Endpoint"],
                Attributes=attributes,
            )
        elif kind == "AWS::SNS::TopicPolicy":
            for topic in properties["Topics"]:
                self.client("sns").set_topic_attributes(
                    TopicArn=topic,
                    AttributeName="Policy",
                    AttributeValue=json.dumps(properties["PolicyDocument"]),
                )
        elif kind == "AWS::SQS::QueuePolicy":
            for queue in properties["Queues"]:
                self.client("sqs").set_queue_attributes(
                    QueueUrl=queue,
                    Attributes={"Policy": json.dumps(properties["PolicyDocument"])},
                )
        elif kind == "AWS::CloudWatch::Alarm":
            # The members have the same names and types in both.
            self.client("cloudwatch").put_metric_alarm(**properties)
        else:
            raise AssertionError(f"moto has not made the {kind}")

    def holds(self, condition):
        if condition is None:
            return True
        left, right = self.template["Conditions"][condition]["Fn::Equals"]
        return self.resolve(left) == right

    def resolve(self, node):
        """A value of the template with its functions carried out."""
        if isinstance(node, list):
            return [self.resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if list(node) == ["Ref"]:
            return self.named(node["Ref"])
        if list(node) == ["Fn::GetAtt"]:
            url = self.made[node["Fn::GetAtt"][0]]
            got = self.client("sqs").get_queue_attributes(
                QueueUrl=url, AttributeNames=["QueueArn"]
            )
            return got["Attributes"]["QueueArn"]
        if list(node) == ["Fn::If"]:
            condition, yes, no = node["Fn::If"]
            return self.resolve(yes if self.holds(condition) else no)
        if list(node) == ["Fn::Sub"]:
            text = node["Fn::Sub"]
            for name in ("Partition", "Region", "AccountId"):
                name = "AWS::" + name
                text = text.replace("${" + name + "}", self.named(name))
            return text
        return {name: self.resolve(value) for name, value in node.items()}

    def named(self, name):
        pseudo = {
            "AWS::Partition": "aws",
            "AWS::Region": self.options.region,
            "AWS::AccountId": ACCOUNT,
        }
        defaults = {
            name: parameter.get("Default")
            for name, parameter in self.template["Parameters"].items()
        }
        return {**self.made, **pseudo, **defaults, **self.given}[name]

    def look(self, outputs):
        sns, sqs, events = (self.client(name) for name in ("sns", "sqs", "events"))
        there = {"rules": {}, "topics": {}, "queues": {}, "subscriptions": []}
        for topic in sns.list_topics()["Topics"]:
            arn = topic["TopicArn"]
            attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
            there["topics"][arn] = json.loads(attributes["Policy"])
        for row in sns.list_subscriptions()["Subscriptions"]:
            arn = row["SubscriptionArn"]
            attributes = sns.get_subscription_attributes(SubscriptionArn=arn)
            there["subscriptions"].append(attributes["Attributes"])
        for url in sqs.list_queues().get("QueueUrls", []):
            got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
            there["queues"][url.rsplit("/", 1)[1]] = got["Attributes"]
        for rule in events.list_rules()["Rules"]:
            targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            there["rules"][rule["Description"]] = {
                "pattern": json.loads(rule["EventPattern"]),
                "targets": [target["Arn"] for target in targets],
            }
        alarms = self.client("cloudwatch").describe_alarms()["MetricAlarms"]
        there["alarms"] = {alarm["AlarmName"]: alarm["Dimensions"] for alarm in alarms}
        iam = self.client("iam")
        policy = iam.get_policy(PolicyArn=outputs["PolicyArn"])["Policy"]
        version = iam.get_policy_version(
            PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"]
        )
        there["policy"] = version["PolicyVersion"]["Document"]
        return there

    def publish(self, outputs):
        """What came out of the queue."""
        self.client("sns").publish(TopicArn=outputs["TopicArn"], Message=MESSAGE)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            got = self.client("sqs").receive_message(
                QueueUrl=outputs["QueueUrl"], WaitTimeSeconds=5
            )
            if "Messages" in got:
                return [json.loads(message["Body"]) for message in got["Messages"]]
        return []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--template", required=True)
    parser.add_argument("--parameter", action="append", default=[])
    site = Site(parser.parse_args())

    outputs = site.deploy()
    there = site.look(outputs)
    there["outputs"] = outputs
    there["received"] = site.publish(outputs)
    print(json.dumps(there, default=str))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Fill a running moto_server with what the tests expect; print what was made as JSON.

usage: moto.py --endpoint http://127.0.0.1:5055 --region eu-central-1

Three traps of moto: it takes the IAM action prefix from the signing name, so CloudWatch is
"monitoring:" in the policy; it mixes namespaces in GetMetricData, so data goes to one only; and
any text is true for its RawMessageDelivery, "false" too.
"""
import argparse
import datetime
import json

import boto3

NAMESPACE = "AWS/MediaPackage"
CHANNELS = 3
MINUTES = 15
# One page of ListMetrics holds 500.
EXTRA_METRICS = 600
PUT_MAX = 500


def client(service, options):
    return boto3.client(
        service,
        endpoint_url=options.endpoint,
        region_name=options.region,
        aws_access_key_id="AKIASYNTHETIC0000000",
        aws_secret_access_key="synthetic",
    )


def dimensions(**named):
    return [{"Name": name, "Value": value} for name, value in named.items()]


def make_user(iam, name, actions):
    iam.create_user(UserName=name)
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Resource": "*", "Action": actions}],
    }
    iam.put_user_policy(
        UserName=name, PolicyName=name, PolicyDocument=json.dumps(policy)
    )
    return iam.create_access_key(UserName=name)["AccessKey"]


def make_agent(iam):
    actions = ["mediapackage:List*", "mediapackagev2:List*", "mediapackagev2:Get*"]
    actions += ["monitoring:*", "cloudwatch:*", "sns:*", "sqs:*", "sts:*"]
    return make_user(iam, "agent", actions)


def make_narrow_user(iam):
    """Somebody who may read what is in a queue, and neither look at it nor delete."""
    actions = ["mediapackage:List*", "monitoring:*", "sqs:ReceiveMessage"]
    key = make_user(iam, "narrow", actions)
    return [key["AccessKeyId"], key["SecretAccessKey"]]


def make_inventory(mediapackage, region):
    secret = f"arn:aws:secretsmanager:{region}:123456789012:secret:planted-cdn-AbCdEf"
    role = "arn:aws:iam::123456789012:role/planted-secrets-role"
    kinds = {
        "hls": {"HlsPackage": {"SegmentDurationSeconds": 6}},
        "dash": {"DashPackage": {"SegmentDurationSeconds": 2}},
    }
    for n in range(CHANNELS):
        channel = f"ch{n}"
        tags = {"env": "test", "n": str(n)}
        mediapackage.create_channel(Id=channel, Description=f"channel {n}", Tags=tags)
        for kind, package in kinds.items():
            mediapackage.create_origin_endpoint(
                Id=f"{channel}-{kind}",
                ChannelId=channel,
                Description=kind,
                ManifestName="index",
                Origination="ALLOW",
                Tags={"kind": kind},
                Whitelist=["203.0.113.77/32"],
                Authorization={"CdnIdentifierSecret": secret, "SecretsRoleArn": role},
                **package,
            )


def channel_points(channel, minute, age):
    of_channel = dimensions(Channel=channel)
    rows = [
        ("IngressBytes", of_channel, 1_000_000 + age, "Bytes"),
        ("IngressResponseTime", of_channel, 12.5, "Milliseconds"),
        ("EgressBytes", of_channel, 8_000_000 + age, "Bytes"),
        ("EgressRequestCount", of_channel, 200 + age, "Count"),
        ("EgressResponseTime", of_channel, 8.25, "Milliseconds"),
        (
            "EgressRequestCount",
            of_channel + dimensions(StatusCodeRange="4xx"),
            age,
            "Count",
        ),
    ]
    for kind in ("hls", "dash"):
        of_endpoint = dimensions(Channel=channel, OriginEndpoint=f"{channel}-{kind}")
        rows.append(("EgressBytes", of_endpoint, 4_000_000 + age, "Bytes"))
        rows.append(("EgressRequestCount", of_endpoint, 100 + age, "Count"))
    return [
        {
            "MetricName": name,
            "Dimensions": dims,
            "Timestamp": minute,
            "Value": value,
            "Unit": unit,
        }
        for name, dims, value, unit in rows
    ]


def make_metrics(cloudwatch):
    now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    points = []
    for age in range(1, MINUTES + 1):
        minute = now - datetime.timedelta(minutes=age)
        for n in range(CHANNELS):
            points += channel_points(f"ch{n}", minute, age)
    for n in range(EXTRA_METRICS):
        points.append(
            {
                "MetricName": "EgressBytes",
                "Dimensions": dimensions(Channel=f"gone-{n:04}"),
                "Timestamp": now - datetime.timedelta(minutes=2),
                "Value": n,
                "Unit": "Bytes",
            }
        )
    for start in range(0, len(points), PUT_MAX):
        cloudwatch.put_metric_data(
            Namespace=NAMESPACE, MetricData=points[start : start + PUT_MAX]
        )
    return int(now.timestamp())


def make_alarms(cloudwatch):
    states = {
        "ch0-ingress-low": "ALARM",
        "ch1-ingress-low": "OK",
        "ch2-ingress-low": "INSUFFICIENT_DATA",
    }
    for name, state in states.items():
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            AlarmDescription="ingress stopped",
            Namespace=NAMESPACE,
            MetricName="IngressBytes",
            Dimensions=dimensions(Channel=name[:3]),
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            DatapointsToAlarm=1,
            Threshold=1.0,
            ComparisonOperator="LessThanThreshold",
            TreatMissingData="breaching",
        )
        cloudwatch.set_alarm_state(
            AlarmName=name, StateValue=state, StateReason="seeded"
        )
    return states


def policy_for(queue, topic):
    """Lets the topic send to the queue, and nobody else."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_push(sqs, sns):
    """A topic with two queues: one gets SNS's envelopes, the other bare messages."""
    topic = sns.create_topic(Name="mediapackage")["TopicArn"]
    urls = {}
    for name, raw in {"edge": "false", "edge-raw": "true"}.items():
        urls[name] = sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(
            QueueUrl=urls[name], AttributeNames=["QueueArn"]
        )
        arn = attributes["Attributes"]["QueueArn"]
        sqs.set_queue_attributes(
            QueueUrl=urls[name], Attributes={"Policy": policy_for(arn, topic)}
        )
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"RawMessageDelivery": raw} if raw == "true" else {},
        )
    return {
        "topic_arn": topic,
        "queue_url": urls["edge"],
        "raw_queue_url": urls["edge-raw"],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--region", required=True)
    options = parser.parse_args()

    iam = client("iam", options)
    key = make_agent(iam)
    mediapackage = client("mediapackage", options)
    make_inventory(mediapackage, options.region)
    cloudwatch = client("cloudwatch", options)
    made = {
        "access_key": key["AccessKeyId"],
        "secret_key": key["SecretAccessKey"],
        "narrow": make_narrow_user(iam),
        "channels": [c["Id"] for c in mediapackage.list_channels()["Channels"]],
        "endpoints": [
            e["Id"] for e in mediapackage.list_origin_endpoints()["OriginEndpoints"]
        ],
        "minute_end": make_metrics(cloudwatch),
        "alarms": make_alarms(cloudwatch),
        **make_push(client("sqs", options), client("sns", options)),
    }
    print(json.dumps(made))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Print what botocore finds as credentials, with the environment as it is.

usage: found_by_botocore.py [STS_URL ROLE_ARN EXTERNAL_ID]

With arguments it takes that role on top.
"""
import json
import sys

import botocore.session


def main(arguments):
    session = botocore.session.get_session()
    credentials = session.get_credentials()
    if arguments:
        url, role, external_id = arguments
        sts = session.create_client("sts", region_name="eu-central-1", endpoint_url=url)
        answer = sts.assume_role(
            RoleArn=role, RoleSessionName="edge", ExternalId=external_id
        )
        found = answer["Credentials"]
        key, token = found["AccessKeyId"], found["SessionToken"]
        end = found["Expiration"].isoformat()
    else:
        frozen = credentials.get_frozen_credentials()
        key, token = frozen.access_key, frozen.token
        end = credentials._expiry_time.isoformat()
    print(json.dumps({"key": key, "token": token, "end": end}))


if __name__ == "__main__":
    main(sys.argv[1:])

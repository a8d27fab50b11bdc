# A private service with a way out through a VPC connector and a way in through an interface endpoint.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  default_tags {
    tags = { Stack = "network" }
  }
}

data "aws_availability_zones" "all" {
  state = "available"
}

data "aws_region" "here" {}

resource "aws_vpc" "main" {
  cidr_block           = "10.71.0.0/16"
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = "tf" }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_subnet" "public" {
  vpc_id                  = aws_vpc.main.id
  cidr_block              = "10.71.0.0/24"
  availability_zone       = data.aws_availability_zones.all.names[0]
  map_public_ip_on_launch = true
}

resource "aws_subnet" "private" {
  count             = 2
  vpc_id            = aws_vpc.main.id
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 8, count.index + 1)
  availability_zone = data.aws_availability_zones.all.names[count.index]
  tags              = { Name = "private-${count.index}" }
}

resource "aws_eip" "nat" {
  domain     = "vpc"
  depends_on = [aws_internet_gateway.main]
}

resource "aws_nat_gateway" "main" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.public.id
}

resource "aws_nat_gateway" "other" {
  connectivity_type = "private"
  subnet_id         = aws_subnet.public.id
}

resource "aws_route_table" "spare" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.main.id
  }
}

resource "aws_route_table_association" "public" {
  subnet_id      = aws_subnet.public.id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route" "out" {
  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = var.words == "answers" ? aws_nat_gateway.main.id : aws_nat_gateway.other.id
}

resource "aws_route_table_association" "private" {
  count          = 2
  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = var.words == "answers" ? aws_route_table.private.id : aws_route_table.spare.id
}

# the older way: rules inside the group
resource "aws_security_group" "app" {
  name        = "tf-app"
  description = "instances"
  vpc_id      = aws_vpc.main.id

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group" "endpoint" {
  name_prefix = "tf-endpoint-"
  vpc_id      = aws_vpc.main.id

  ingress {
    description     = "from the instances"
    from_port       = 443
    to_port         = 443
    protocol        = "tcp"
    security_groups = [aws_security_group.app.id]
  }

  ingress {
    description = "from the network"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = [aws_vpc.main.cidr_block]
  }

  lifecycle {
    create_before_destroy = true
  }
}

# the ways of rules of their own
resource "aws_security_group" "db" {
  name   = "tf-db"
  vpc_id = aws_vpc.main.id
}

resource "aws_security_group_rule" "db_in" {
  description              = var.words
  type                     = "ingress"
  security_group_id        = aws_security_group.db.id
  from_port                = 5432
  to_port                  = 5432
  protocol                 = "tcp"
  source_security_group_id = aws_security_group.app.id
}

resource "aws_vpc_security_group_egress_rule" "db_out" {
  security_group_id = aws_security_group.db.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "10.71.0.0/16"
  description       = var.words
  tags              = { Name = "db-out" }
}

resource "aws_apprunner_vpc_connector" "main" {
  vpc_connector_name = "tf-connector"
  subnets            = aws_subnet.private[*].id
  security_groups    = [aws_security_group.app.id]
}

resource "aws_vpc_endpoint" "apprunner" {
  vpc_id              = aws_vpc.main.id
  service_name        = "com.amazonaws.${data.aws_region.here.name}.apprunner.requests"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = aws_subnet.private[*].id
  security_group_ids  = [aws_security_group.endpoint.id]
  private_dns_enabled = false
}

# a second value changes in place whatever can be
variable "words" {
  type    = string
  default = "answers"
}

variable "image" {
  type    = string
  default = "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:v1"
}

variable "role" {
  type    = string
  default = "arn:aws:iam::123456789012:role/service-role/AppRunnerECRAccessRole"
}

resource "aws_apprunner_service" "private" {
  service_name = "tf-private"

  source_configuration {
    auto_deployments_enabled = false
    authentication_configuration {
      access_role_arn = var.role
    }
    image_repository {
      image_identifier      = var.image
      image_repository_type = "ECR"
    }
  }

  network_configuration {
    ingress_configuration {
      is_publicly_accessible = false
    }
    egress_configuration {
      egress_type       = "VPC"
      vpc_connector_arn = aws_apprunner_vpc_connector.main.arn
    }
  }
}

resource "aws_apprunner_vpc_ingress_connection" "private" {
  name        = "tf-private"
  service_arn = aws_apprunner_service.private.arn

  ingress_vpc_configuration {
    vpc_id          = aws_vpc.main.id
    vpc_endpoint_id = aws_vpc_endpoint.apprunner.id
  }
}

output "domain" {
  value = aws_apprunner_vpc_ingress_connection.private.domain_name
}

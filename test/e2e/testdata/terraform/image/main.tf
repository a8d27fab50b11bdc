# A team's service as it is usually written: repository, roles, scaling, tracing and logs in one place.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  default_tags {
    tags = {
      Team      = "web"
      ManagedBy = "terraform"
    }
  }
}

variable "tag" {
  type    = string
  default = "v1"
}

variable "name" {
  type    = string
  default = "tf-image"
}

variable "greeting" {
  type    = string
  default = "hello"
}

data "aws_caller_identity" "current" {}

resource "aws_ecr_repository" "app" {
  name                 = "${var.name}/app"
  image_tag_mutability = "MUTABLE"
  force_delete         = true

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "app" {
  repository = aws_ecr_repository.app.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "keep the last ten"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 10 }
      action       = { type = "expire" }
    }]
  })
}

data "aws_iam_policy_document" "build" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["build.apprunner.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["tasks.apprunner.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "access" {
  name               = "${var.name}-access"
  path               = "/service-role/"
  assume_role_policy = data.aws_iam_policy_document.build.json
}

resource "aws_iam_role_policy_attachment" "access" {
  role       = aws_iam_role.access.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSAppRunnerServicePolicyForECRAccess"
}

resource "aws_iam_role" "instance" {
  name                 = "${var.name}-instance"
  description          = "what the service may do"
  max_session_duration = 7200
  assume_role_policy   = data.aws_iam_policy_document.tasks.json
  tags                 = { Purpose = "instance" }
}

resource "aws_iam_policy" "logs" {
  name        = "${var.name}-logs"
  description = "write log lines"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["logs:PutLogEvents", "logs:CreateLogStream"], Resource = "${aws_cloudwatch_log_group.audit.arn}:*" }]
  })
}

resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.instance.name
  policy_arn = aws_iam_policy.logs.arn
}

resource "aws_iam_role_policy" "read" {
  name = "read"
  role = aws_iam_role.instance.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "apprunner:ListServices", Resource = "*" }]
  })
}

resource "aws_cloudwatch_log_group" "audit" {
  name              = "/${var.name}/audit"
  retention_in_days = 14
}

resource "aws_apprunner_auto_scaling_configuration_version" "small" {
  auto_scaling_configuration_name = var.name
  max_concurrency                 = 50
  max_size                        = 3
  min_size                        = 1
}

resource "aws_apprunner_observability_configuration" "xray" {
  observability_configuration_name = var.name
  trace_configuration {
    vendor = "AWSXRAY"
  }
}

resource "aws_apprunner_service" "web" {
  service_name                   = var.name
  auto_scaling_configuration_arn = aws_apprunner_auto_scaling_configuration_version.small.arn

  source_configuration {
    auto_deployments_enabled = false
    authentication_configuration {
      access_role_arn = aws_iam_role.access.arn
    }
    image_repository {
      image_identifier      = "${aws_ecr_repository.app.repository_url}:${var.tag}"
      image_repository_type = "ECR"
      image_configuration {
        port                          = "8080"
        runtime_environment_variables = var.greeting == "" ? {} : { GREETING = var.greeting }
      }
    }
  }

  instance_configuration {
    cpu               = "0.25 vCPU"
    memory            = "0.5 GB"
    instance_role_arn = aws_iam_role.instance.arn
  }

  health_check_configuration {
    protocol            = "HTTP"
    path                = "/"
    interval            = 1
    timeout             = 1
    healthy_threshold   = 1
    unhealthy_threshold = 5
  }

  observability_configuration {
    observability_enabled           = true
    observability_configuration_arn = aws_apprunner_observability_configuration.xray.arn
  }

  tags = { Name = var.name }

  depends_on = [aws_iam_role_policy_attachment.access]
}

output "url" {
  value = aws_apprunner_service.web.service_url
}

output "arn" {
  value = aws_apprunner_service.web.arn
}

output "account" {
  value = data.aws_caller_identity.current.account_id
}

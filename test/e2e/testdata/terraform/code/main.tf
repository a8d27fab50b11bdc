# A service from a private repository, with a connection whose handshake somebody completes.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

variable "repository" {
  type = string
}

resource "aws_apprunner_connection" "hub" {
  connection_name = "tf-hub"
  provider_type   = "GITHUB"
  tags            = { Team = "web" }
}

resource "aws_apprunner_service" "code" {
  service_name = "tf-code"

  source_configuration {
    auto_deployments_enabled = false
    authentication_configuration {
      connection_arn = aws_apprunner_connection.hub.arn
    }
    code_repository {
      repository_url = var.repository
      source_code_version {
        type  = "BRANCH"
        value = "main"
      }
      code_configuration {
        configuration_source = "API"
        code_configuration_values {
          runtime       = "PYTHON_3"
          start_command = "python3 server.py"
          port          = "8080"
          runtime_environment_variables = {
            A = "b"
          }
        }
      }
    }
  }
}

output "connection" {
  value = aws_apprunner_connection.hub.arn
}

output "arn" {
  value = aws_apprunner_service.code.arn
}

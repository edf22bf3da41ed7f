"""OpenAPI documents of different makers, as they publish them."""

from __future__ import annotations

from typing import Any

SPRING: dict[str, Any] = {
    "openapi": "3.0.1",
    "info": {"title": "OpenAPI definition", "version": "v0"},
    "servers": [{"url": "http://localhost:8080", "description": "Generated server url"}],
    "security": [{"oauth": []}],
    "paths": {
        "/api/v1/companies/{lei}/tax-arrears": {
            "get": {
                "tags": ["arrears-controller"],
                "summary": "List all tax arrears of a company",
                "operationId": "findByCompany",
                "parameters": [
                    {"name": "lei", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^(a+)+$"}},
                    {"name": "page", "in": "query", "required": False, "schema": {"type": "integer", "default": 0}},
                    {"name": "size", "in": "query", "required": False, "schema": {"type": "integer", "default": 20}},
                ],
                "responses": {
                    "200": {
                        "description": "OK",
                        "content": {
                            "application/hal+json": {"schema": {"$ref": "#/components/schemas/PageArrearsDto"}}
                        },
                    }
                },
            },
            "post": {"operationId": "create", "responses": {"201": {"description": "Created"}}},
        },
        "/api/v1/companies": {
            "get": {
                "operationId": "findAll",
                "responses": {
                    "200": {
                        "description": "OK",
                        "content": {
                            "application/json": {
                                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/ArrearsDto"}}
                            }
                        },
                    }
                },
            }
        },
    },
    "components": {
        "securitySchemes": {
            "oauth": {
                "type": "oauth2",
                "flows": {"clientCredentials": {"tokenUrl": "https://login.elsewhere.example/token", "scopes": {}}},
            }
        },
        "schemas": {
            "PageArrearsDto": {
                "type": "object",
                "properties": {
                    "totalPages": {"type": "integer", "format": "int32"},
                    "content": {"type": "array", "items": {"$ref": "#/components/schemas/ArrearsDto"}},
                    "sort": {"type": "array", "items": {"$ref": "#/components/schemas/SortObject"}},
                },
            },
            "SortObject": {"type": "object", "properties": {"direction": {"type": "string"}}},
            "ArrearsDto": {
                "type": "object",
                "properties": {
                    "id": {"type": "integer", "format": "int64"},
                    "noticeNumber": {"type": "string"},
                    "lastModifiedAt": {"type": "string", "format": "date-time"},
                    "debtorLei": {"type": "string"},
                    "period": {"type": "string", "description": "Tax period. As YYYY-MM."},
                    "amount": {"$ref": "#/components/schemas/Money"},
                    "workers": {"type": "integer", "format": "int32"},
                    "mobilePhone": {"type": "string"},
                    "remarks": {"type": "array", "items": {"type": "string"}},
                },
            },
            "Money": {
                "type": "object",
                "properties": {"total": {"type": "number"}, "currency": {"type": "string", "enum": ["EUR", "USD"]}},
            },
        },
    },
}

FASTAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Tax Service API", "version": "0.1.0"},
    "paths": {
        "/v1/subjects/{id_type}/{id_no}/arrears": {
            "get": {
                "summary": "Read Arrears",
                "operationId": "read_arrears_v1_subjects__id_type___id_no__arrears_get",
                "parameters": [
                    {"name": "id_type", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "id_no", "in": "path", "required": True, "schema": {"type": "string"}},
                    {
                        "name": "cursor",
                        "in": "query",
                        "required": False,
                        "schema": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Cursor"},
                    },
                ],
                "responses": {
                    "200": {
                        "description": "Successful Response",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page_Arrears_"}}},
                    },
                    "422": {"description": "Validation Error"},
                },
                "security": [{"HTTPBearer": []}],
            }
        }
    },
    "components": {
        "securitySchemes": {"HTTPBearer": {"type": "http", "scheme": "bearer"}},
        "schemas": {
            "Page_Arrears_": {
                "type": "object",
                "properties": {
                    "items": {"items": {"$ref": "#/components/schemas/Arrears"}, "type": "array", "title": "Items"},
                    "next_cursor": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Next Cursor"},
                },
            },
            "Arrears": {
                "type": "object",
                "properties": {
                    "notice_no": {"type": "string", "title": "Notice No"},
                    "rev": {"type": "integer", "title": "Rev"},
                    "id_type": {"type": "string", "title": "Id Type"},
                    "id_no": {"type": "string", "title": "Id No"},
                    "tax_period": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Tax Period"},
                    "amount": {"anyOf": [{"type": "number"}, {"type": "string"}], "title": "Amount"},
                    "issued_on": {"type": ["string", "null"], "format": "date", "title": "Issued On"},
                    "paid": {"type": ["boolean", "null"], "title": "Paid"},
                },
            },
        },
    },
}

BY_HAND = """\
openapi: 3.0.3
info: {title: Steuerregister, version: '2026'}
paths:
  /arrears:
    parameters:
      - {name: Accept, in: header, required: true, schema: {type: string}}
    get:
      summary: Returns a list of arrears.
      parameters:
        - {name: lei, in: query, required: true, schema: {type: string}}
        - {name: format, in: query, required: true, schema: {type: string, enum: [json]}}
        - {name: since, in: query, schema: {type: string, format: date}}
      responses:
        '200':
          $ref: '#/components/responses/Notices'
  /arrears/{lei}/{notice}:
    get:
      parameters:
        - {name: lei, in: path, required: true, schema: {type: string}}
        - {name: notice, in: path, required: true, schema: {type: string}}
      responses: {'200': {$ref: '#/components/responses/Notices'}}
components:
  responses:
    Notices:
      description: Notices
      content:
        application/json; charset=utf-8:
          schema:
            type: object
            properties:
              data:
                type: object
                properties:
                  notices: {type: array, items: {$ref: '#/components/schemas/Notice'}}
  schemas:
    Base:
      type: object
      properties:
        uuid: {type: string, format: uuid}
        revision: {type: integer}
        taxpayer: {$ref: '#/components/schemas/Taxpayer'}
    Taxpayer:
      type: object
      properties:
        lei: {type: string}
        name: {type: string, title: Name of the taxpayer}
        parent: {$ref: '#/components/schemas/Taxpayer'}
    Notice:
      title: Notices of arrears
      allOf:
        - $ref: '#/components/schemas/Base'
        - oneOf:
            - type: object
              properties: {amount: {type: number}, decisionNo: {type: string}, vatPeriod: {type: string}}
            - type: object
              properties: {amount: {type: number}, decisionNo: {type: string}, exciseGoods: {type: string}}
"""

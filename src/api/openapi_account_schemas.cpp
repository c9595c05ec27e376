// Schemas of the routes of accounts and keys; see openapi_schemas.hpp.
#include "api/openapi_schemas.hpp"

namespace dure::api {

namespace {

constexpr std::string_view account_schema_text = R"json({
"Register": {"type":"object","required":["email","password"],"properties":{
  "email":{"type":"string","format":"email","maxLength":254},"password":{"type":"string","minLength":8,"maxLength":128},
  "username":{"type":["string","null"],"minLength":2,"maxLength":64,"description":"3 characters or more, 2 where one is Hangul"}}},
"Login": {"type":"object","required":["username","password"],"properties":{
  "username":{"type":"string","description":"e-mail address or user name"},"password":{"type":"string"}}},
"AccessToken": {"type":"object","required":["access_token","token_type"],"properties":{
  "access_token":{"type":"string"},"token_type":{"type":"string","const":"bearer"}}},
"EmailAddress": {"type":"object","required":["email"],"properties":{"email":{"type":"string","maxLength":320}}},
"ResetPassword": {"type":"object","required":["token","password"],"properties":{
  "token":{"type":"string"},"password":{"type":"string","minLength":8,"maxLength":128}}},
"VerifyToken": {"type":"object","required":["token"],"properties":{"token":{"type":"string"}}},
"Null": {"type":"null"},
"User": {"type":"object","required":["id","email","username","role","permissions","is_active","is_verified","created_at"],"properties":{
  "id":{"type":"string"},"email":{"type":"string"},"username":{"type":["string","null"]},"role":{"type":"string"},
  "permissions":{"type":"array","items":{"type":"string"}},"is_active":{"type":"boolean"},"is_verified":{"type":"boolean"},
  "created_at":{"type":"string","format":"date-time"}}},
"UserList": {"type":"object","required":["users","next"],"properties":{
  "users":{"type":"array","items":{"$ref":"#/components/schemas/User"}},"next":{"type":["string","null"]}}},
"UpdateMe": {"type":"object","properties":{
  "email":{"type":["string","null"],"maxLength":254},"username":{"type":["string","null"],"minLength":2,"maxLength":64,"description":"3 characters or more, 2 where one is Hangul"},
  "password":{"type":["string","null"],"minLength":8,"maxLength":128}}},
"UpdateUser": {"type":"object","properties":{
  "email":{"type":["string","null"],"maxLength":254},"username":{"type":["string","null"],"minLength":2,"maxLength":64,"description":"3 characters or more, 2 where one is Hangul"},
  "password":{"type":["string","null"],"minLength":8,"maxLength":128},"role":{"type":["string","null"]},
  "is_active":{"type":["boolean","null"]},"is_verified":{"type":["boolean","null"]}}},
"Role": {"type":"object","required":["id","name","permissions","builtin","created_at","updated_at"],"properties":{
  "id":{"type":"string"},"name":{"type":"string"},"permissions":{"type":"array","items":{"type":"string"}},"builtin":{"type":"boolean"},
  "created_at":{"type":["string","null"]},"updated_at":{"type":["string","null"]}}},
"RoleList": {"type":"object","required":["roles","total","page","page_size"],"properties":{
  "roles":{"type":"array","items":{"$ref":"#/components/schemas/Role"}},"total":{"type":"integer"},"page":{"type":"integer"},"page_size":{"type":"integer"}}},
"CreateRole": {"type":"object","required":["name","permissions"],"additionalProperties":false,"properties":{
  "name":{"type":"string","pattern":"^[a-zA-Z가-힣][a-zA-Z0-9가-힣_-]{0,63}$"},"permissions":{"type":"array","items":{"type":"string"}}}},
"UpdateRole": {"type":"object","additionalProperties":false,"properties":{"name":{"type":"string"},
  "permissions":{"type":"array","items":{"type":"string"}}}},
"ApiKey": {"type":"object","required":["id","name","prefix","owner_id","created_at"],"properties":{
  "id":{"type":"string"},"name":{"type":"string"},"prefix":{"type":"string"},"owner_id":{"type":"string"},
  "permissions":{"type":["array","null"],"items":{"type":"string"},"description":"null: all of the owner's"},
  "models":{"type":["array","null"],"items":{"type":"string"},"description":"null: all"},
  "tokens_per_minute":{"type":["integer","null"],"description":"of the key's calls of models, beside the limits of its owner; null: no limit of its own"},
  "tokens_per_day":{"type":["integer","null"]},"cost_per_day_usd":{"type":["number","null"]},
  "unknown_models":{"type":"array","items":{"type":"string"},"description":"in the answer that made it only: of its models those that are not there (yet)"},
  "created_at":{"type":"string","format":"date-time"},"expires_at":{"type":["string","null"]},
  "last_used_at":{"type":["string","null"]},"revoked_at":{"type":["string","null"]},
  "key":{"type":"string","description":"in the answer that made it only"}}},
"ApiKeyList": {"type":"object","required":["keys","total","page","page_size"],"properties":{
  "keys":{"type":"array","items":{"$ref":"#/components/schemas/ApiKey"}},"total":{"type":"integer"},"page":{"type":"integer"},"page_size":{"type":"integer"}}},
"CreateApiKey": {"type":"object","required":["name"],"additionalProperties":false,"properties":{
  "name":{"type":"string","minLength":1,"maxLength":200},"permissions":{"type":["array","null"],"items":{"type":"string"}},
  "models":{"type":["array","null"],"items":{"type":"string"}},"expires_at":{"type":["string","null"],"format":"date-time"},
  "tokens_per_minute":{"type":["integer","null"],"minimum":1},"tokens_per_day":{"type":["integer","null"],"minimum":1},
  "cost_per_day_usd":{"type":["number","null"],"minimum":0.000001}}},
"RotateApiKey": {"type":"object","additionalProperties":false,"properties":{
  "old_expires_at":{"type":["string","null"],"format":"date-time","description":"when the old key ends; absent: in 24 hours"}}}
})json";

}  // namespace

OrderedJson account_schemas()
{
    return OrderedJson::parse(account_schema_text);
}

}  // namespace dure::api

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "mcp_rig.h"
#include "semconv/form_reader.h"
#include "semconv/xml_texts.h"

namespace sidespan::semconv {
namespace {

using Rig = McpExchange::Rig;

const std::string kQueue =
    R"("QueueUrl":"https://sqs.eu-west-1.amazonaws.com/123456789012/orders")";
const Fields kAnswer = {{"content-type", "application/x-amz-json-1.0"}, {"x-amzn-RequestId", "r1"}};
const Fields kXml = {{"content-type", "text/xml"}, {"x-amzn-RequestId", "r1"}};
const std::string kSigned =
    "AWS4-HMAC-SHA256 Credential=AKID/20261127/eu-west-1/sns/aws4_request, SignedHeaders=host, "
    "Signature=abc";

Fields json(const std::string& action) {
  return {{"content-type", "application/x-amz-json-1.0"}, {"x-amz-target", "AmazonSQS." + action}};
}
Fields form(const std::string& authorization = "") {
  Fields out = {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}};
  if (!authorization.empty()) out.emplace_back("authorization", authorization);
  return out;
}

struct Said {
  std::string method = "POST";
  std::string url = "http://127.0.0.1:9324/";
  Fields fields = {};
  std::string body = {};
  int status = 200;
  Fields answer_fields = kAnswer;
  std::string answer = {};
};

std::string told(const trace::Span& span) {
  std::string out = span.name;
  for (const auto& [key, value] : span.attributes) {
    if (!key.starts_with("messaging.") && !key.starts_with("aws.") &&
        !key.starts_with("sidespan.messaging.") && key != "error.type") {
      continue;
    }
    if (key == "messaging.operation.name" || key == "messaging.destination.name") continue;
    out.append("\n").append(key).append("=");
    if (const auto* text = std::get_if<std::string_view>(&value)) out.append(*text);
    if (const auto* number = std::get_if<int64_t>(&value)) out.append(std::to_string(*number));
  }
  return out;
}

std::string exchanged(const Said& said, size_t piece) {
  Rig rig;
  rig.piece = piece;
  McpExchange exchange(rig, said.method, said.url, said.fields);
  exchange.say(said.body, 1);
  exchange.answer(said.status, said.answer_fields, 2);
  exchange.hear(said.answer, 3);
  const trace::Span span = exchange.end(4);
  const bool sends = span.attributes.text("messaging.operation.type") == "send";
  CHECK(span.kind == (sends ? trace::SpanKind::kProducer : trace::SpanKind::kClient));
  CHECK((span.status == trace::SpanStatus::kError) == span.attributes.contains("error.type"));
  return told(span);
}

struct Row {
  const char* test;
  Said said;
  std::string told;
};

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.test);
    for (const size_t piece : {0, 1, 3, 50}) {
      CAPTURE(piece);
      CHECK(exchanged(row.said, piece) == row.told);
    }
  }
}

const std::string kToOrders =
    "\naws.sqs.queue.url=https://sqs.eu-west-1.amazonaws.com/123456789012/orders"
    "\naws.request_id=r1";

TEST_CASE("sqs: a queue's URL hides our names of secrets and the user's") {
  Rig rig;
  rig.redact = {"ticket"};
  McpExchange exchange(rig, "POST", "http://127.0.0.1:9324/", json("SendMessage"));
  exchange.say(R"({"QueueUrl":"http://u:s@q/1/orders?ticket=s&token=s&x=1"})", 1);
  exchange.answer(200, kAnswer, 2);
  CHECK(exchange.end(3).attributes.text("aws.sqs.queue.url") ==
        "http://REDACTED:REDACTED@q/1/orders?ticket=REDACTED&token=REDACTED&x=1");
}

TEST_CASE("sqs: a call by AWS JSON") {
  check({
      {"one is sent",
       {.fields = json("SendMessage"),
        .body = "{" + kQueue + R"(,"MessageBody":"{\"MessageId\":\"no\"}"})",
        .answer = R"({"MD5OfMessageBody":"x","MessageId":"m1"})"},
       "SendMessage orders\nmessaging.system=aws_sqs\nmessaging.operation.type=send" + kToOrders +
           "\nmessaging.message.id=m1"},
      {"a batch",
       {.fields = json("SendMessageBatch"),
        .body = "{" + kQueue + R"(,"Entries":[{"Id":"a","MessageBody":"1"},{"Id":"b"}]})",
        .answer = R"({"Successful":[{"Id":"a","MessageId":"m1"}],)"
                  R"("Failed":[{"Id":"b","Code":"InvalidParameterValue","SenderFault":true}]})"},
       "SendMessageBatch orders\nmessaging.system=aws_sqs\nmessaging.operation.type=send" +
           kToOrders + "\nmessaging.batch.message_count=2\nsidespan.messaging.failed=1"},
      {"a batch of which nothing was taken",
       {.fields = json("DeleteMessageBatch"),
        .body = "{" + kQueue + R"(,"Entries":[{"Id":"a","ReceiptHandle":"h"}]})",
        .answer = R"({"Failed":[{"Id":"a","Code":"ReceiptHandleIsInvalid"}]})"},
       "DeleteMessageBatch orders\nmessaging.system=aws_sqs\nmessaging.operation.type=settle" +
           kToOrders +
           "\nmessaging.batch.message_count=1\nsidespan.messaging.failed=1"
           "\nerror.type=ReceiptHandleIsInvalid"},
      {"some are received",
       {.fields = json("ReceiveMessage"),
        .body = "{" + kQueue + R"(,"MaxNumberOfMessages":10})",
        .answer = R"({"Messages":[{"MessageId":"m1","Body":"1"},{"MessageId":"m2","Body":"2"}]})"},
       "ReceiveMessage orders\nmessaging.system=aws_sqs\nmessaging.operation.type=receive" +
           kToOrders + "\nmessaging.batch.message_count=2"},
      {"one is received",
       {.fields = json("ReceiveMessage"),
        .body = "{" + kQueue + "}",
        .answer = R"({"Messages":[{"MessageId":"m1","Body":"1"}]})"},
       "ReceiveMessage orders\nmessaging.system=aws_sqs\nmessaging.operation.type=receive" +
           kToOrders + "\nmessaging.batch.message_count=1\nmessaging.message.id=m1"},
      {"none is there",
       {.fields = json("ReceiveMessage"), .body = "{" + kQueue + "}", .answer = "{}"},
       "ReceiveMessage orders\nmessaging.system=aws_sqs\nmessaging.operation.type=receive" +
           kToOrders + "\nmessaging.batch.message_count=0"},
      {"an error",
       {.fields = json("DeleteMessage"),
        .body = "{" + kQueue + R"(,"ReceiptHandle":"h"})",
        .status = 400,
        .answer = R"({"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no such"})"},
       "DeleteMessage orders\nerror.type=QueueDoesNotExist\nmessaging.system=aws_sqs"
       "\nmessaging.operation.type=settle" +
           kToOrders},
      {"what moves no message",
       {.fields = json("GetQueueUrl"), .body = R"({"QueueName":"orders"})", .answer = "{}"},
       "GetQueueUrl\nmessaging.system=aws_sqs\naws.request_id=r1"},
      {"wrong types and a broken end",
       {.fields = json("SendMessage"),
        .body = R"({"QueueUrl":5,"Entries":{"Id":1)",
        .answer = R"({"MessageId":["m"],)"},
       "SendMessage\nmessaging.system=aws_sqs\nmessaging.operation.type=send\naws.request_id=r1"},
      {"another service",
       {.fields = {{"content-type", "application/x-amz-json-1.0"},
                   {"x-amz-target", "DynamoDB_20120810.PutItem"}},
        .body = "{" + kQueue + "}"},
       "POST"},
      {"no action", {.fields = json("a b"), .body = "{}"}, "POST"},
  });
}

TEST_CASE("sqs, sns: a call by the query protocol") {
  const std::string topic = "arn:aws:sns:eu-west-1:123456789012:news";
  const std::string to_news = "\naws.sns.topic.arn=" + topic + "\naws.request_id=r1";
  check({
      {"one is published, by the scope of a signature",
       {.fields = form(kSigned),
        .body = "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A"
                "123456789012%3Anews&Message=Action%3DNo%26TopicArn%3Dno",
        .answer_fields = kXml,
        .answer = "<PublishResponse xmlns=\"http://sns/\"><PublishResult><MessageId>m1</MessageId>"
                  "</PublishResult><ResponseMetadata><RequestId>r1</RequestId></ResponseMetadata>"
                  "</PublishResponse>"},
       "Publish news\nmessaging.system=aws.sns\nmessaging.operation.type=send" + to_news +
           "\nmessaging.message.id=m1"},
      {"a batch",
       {.url = "https://sns.eu-west-1.amazonaws.com/",
        .fields = form(),
        .body = "Action=PublishBatch&TopicArn=" + topic +
                "&PublishBatchRequestEntries.member.1.Id=a&PublishBatchRequestEntries.member.1."
                "Message=x&PublishBatchRequestEntries.member.2.Id=b",
        .answer_fields = kXml,
        .answer = "<PublishBatchResult><Failed><member><Id>b</Id><Code>InternalError</Code>"
                  "</member></Failed><Successful><member><MessageId>m1</MessageId><Id>a</Id>"
                  "</member></Successful></PublishBatchResult>"},
       "PublishBatch news\nmessaging.system=aws.sns\nmessaging.operation.type=send" + to_news +
           "\nmessaging.batch.message_count=2\nsidespan.messaging.failed=1"},
      {"an error",
       {.url = "https://sns.eu-west-1.amazonaws.com/",
        .fields = form(),
        .body = "Action=Publish&TopicArn=" + topic,
        .status = 404,
        .answer_fields = kXml,
        .answer = "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code><Message>no"
                  "</Message></Error></ErrorResponse>"},
       "Publish "
       "news\nerror.type=NotFound\nmessaging.system=aws.sns\nmessaging.operation.type=send" +
           to_news},
      {"a queue by the path",
       {.url = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders",
        .fields = form(),
        .body = "Action=ReceiveMessage",
        .answer_fields = kXml,
        .answer = "<ReceiveMessageResponse><ReceiveMessageResult><Message><MessageId>m1</MessageId>"
                  "<Body>&lt;MessageId&gt;</Body></Message><Message><MessageId>m2</MessageId>"
                  "</Message></ReceiveMessageResult></ReceiveMessageResponse>"},
       "ReceiveMessage orders\nmessaging.system=aws_sqs\nmessaging.operation.type=receive" +
           kToOrders + "\nmessaging.batch.message_count=2"},
      {"a queue whose path ends in a slash",
       {.url = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders/",
        .fields = form(),
        .body = "Action=SendMessage",
        .answer_fields = kXml},
       "SendMessage orders\nmessaging.system=aws_sqs\nmessaging.operation.type=send\n"
       "aws.sqs.queue.url=https://sqs.eu-west-1.amazonaws.com/123456789012/orders/\n"
       "aws.request_id=r1"},
      {"by GET",
       {.method = "GET",
        .url = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders?Action=SendMessage&"
               "MessageBody=https%3A%2F%2Fa%2Fb",
        .answer_fields = kXml,
        .answer = "<SendMessageResponse><SendMessageResult><MessageId>m1</MessageId>"
                  "</SendMessageResult></SendMessageResponse>"},
       "SendMessage orders\nmessaging.system=aws_sqs\nmessaging.operation.type=send" + kToOrders +
           "\nmessaging.message.id=m1"},
      {"by GET, packed and with a body for nobody, its queue in the query",
       {.method = "GET",
        .url = "https://sqs.eu-west-1.amazonaws.com/other/one?Version=2012-11-05&"
               "QueueUrl=https%3A%2F%2Fsqs.eu-west-1.amazonaws.com%2F123456789012%2Forders&"
               "Action=SendMessage",
        .fields = {{"content-encoding", "gzip"}},
        .body = "Batch&QueueUrl=no",
        .answer_fields = kXml},
       "SendMessage orders\nmessaging.system=aws_sqs\nmessaging.operation.type=send" + kToOrders},
      {"by GET, signed beforehand",
       {.method = "GET",
        .url = "http://localhost:4566/?Action=Publish&TopicArn=" + topic +
               "&X-Amz-Credential=AKID%2F20261127%2Feu-west-1%2Fsns%2Faws4_request",
        .answer_fields = kXml},
       "Publish news\nmessaging.system=aws.sns\nmessaging.operation.type=send" + to_news},
      {"signed beforehand for another service",
       {.method = "GET",
        .url = "http://localhost:4566/?Action=RunInstances"
               "&X-Amz-Credential=AKID%2F20261127%2Feu-west-1%2Fec2%2Faws4_request"},
       "GET"},
      {"what only ends like an action",
       {.method = "GET", .url = "https://sqs.eu-west-1.amazonaws.com/1/orders?NoAction=Send"},
       "GET"},
      {"another's, by GET",
       {.method = "GET", .url = "https://shop.example/a?Action=SendMessage"},
       "GET"},
      {"no action, by GET",
       {.method = "GET", .url = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders?a=b"},
       "GET"},
      {"a topic that is made",
       {.fields = form(kSigned),
        .body = "Action=CreateTopic&Name=news",
        .answer_fields = kXml,
        .answer = "<CreateTopicResponse><CreateTopicResult><TopicArn>" + topic +
                  "</TopicArn></CreateTopicResult></CreateTopicResponse>"},
       "CreateTopic news\nmessaging.system=aws.sns" + to_news},
      {"to a phone",
       {.fields = form(kSigned),
        .body = "Action=Publish&PhoneNumber=%2B1555",
        .answer_fields = kXml},
       "Publish\nmessaging.system=aws.sns\nmessaging.operation.type=send\naws.request_id=r1"},
      {"another's form", {.fields = form(), .body = "Action=Publish&TopicArn=a:b"}, "POST"},
      {"another service's",
       {.url = "https://ec2.amazonaws.com/", .fields = form(), .body = "Action=RunInstances"},
       "POST"},
      {"without an action", {.fields = form(kSigned), .body = "TopicArn=a:b"}, "POST"},
  });
}

TEST_CASE("a form in any pieces") {
  const auto read = [](std::string_view body, size_t piece, bool whole = true) {
    std::string out;
    FormReader reader([&](const FormReader::Pair& pair) {
      out.append(pair.name).append("=").append(pair.value.substr(0, 20));
      out.append(pair.cut ? "~;" : ";");
    });
    for (size_t at = 0; at < body.size(); at += piece) reader.feed(body.substr(at, piece));
    reader.finish(whole);
    return out;
  };
  for (const size_t piece : {1, 2, 3, 100}) {
    CHECK(read("a=1&b+c=%41%2b+d", piece) == "a=1;b c=A+ d;");
    CHECK(read("a=b=c&=x&d&e=", piece) == "a=b=c;d=;e=;");
    CHECK(read("a=%&b=%4&c=%zz&d=%4g&e=%%41", piece) == "a=%;b=%4;c=%zz;d=%4g;e=%A;");
    CHECK(read("a=1&b=2", piece, false) == "a=1;");
    CHECK(read("a=%4", piece) == "a=%4;");
    CHECK(read("", piece).empty());
    const std::string longer(2000, 'x');
    CHECK(read("a=" + longer + "&b=1", piece) == "a=xxxxxxxxxxxxxxxxxxxx~;b=1;");
    CHECK(read(longer + "=1", piece).ends_with("=1~;"));
  }
}

TEST_CASE("the texts of XML in any pieces") {
  const auto read = [](std::string_view body, size_t piece) {
    std::string out;
    XmlTexts texts([&](const XmlTexts::Text& text) {
      out.append(text.parent).append("/").append(text.name).append("=");
      out.append(text.text.substr(0, 20)).append(text.cut ? "~;" : ";");
    });
    for (size_t at = 0; at < body.size(); at += piece) texts.feed(body.substr(at, piece));
    return out;
  };
  for (const size_t piece : {1, 2, 5, 100}) {
    CHECK(read("<?xml version=\"1.0\"?><a><b>1</b><c x='>'>2</c></a>", piece) == "a/b=1;a/c=2;");
    CHECK(read("<n:a><n:b c=\"d\">&lt;</n:b ></n:a>", piece) == "a/b=&lt;;");
    CHECK(read("<a><!-- <b>1</b> -- > --><b/><c />x<d></d></a>", piece) == "a/d=;");
    CHECK(read("<a><b>1<![CDATA[<c>2</c>]]></b><e>3</e></a>", piece) == "a/e=3;");
    CHECK(read("</a></b><a>1", piece).empty());
    CHECK(read("<<>><a<b>>1</a>", piece).find('1') != std::string::npos);
    CHECK(read("<a>" + std::string(3000, 'x') + "</a>", piece) == "/a=xxxxxxxxxxxxxxxxxxxx~;");
  }
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "<a>";
  for (int i = 0; i < 1000; ++i) deep += "</a>";
  CHECK(read(deep, 7).empty());
}

}  // namespace
}  // namespace sidespan::semconv

// Every format of a record, and what is wrong with malformed ones.
#include "data/record.h"

#include <gtest/gtest.h>

namespace sensorium::data {
namespace {

Record parse(const std::string& json) { return parse_record(Json::parse(json), "dir", "f:1").value(); }

std::string fault_of(const std::string& json) {
  const auto record = parse_record(Json::parse(json), "dir", "f:1");
  if (record) return "ok";
  EXPECT_EQ(record.error().kind(), ErrorKind::invalid_data);
  const std::string message = record.error().message();
  EXPECT_TRUE(message.starts_with("f:1: ")) << message;
  return message.substr(5);
}

std::string show(const Message& message) {
  std::string text = message.role + ":";
  for (const MessagePart& part : message.parts)
    text += part.kind == PartKind::text ? " '" + part.value + "'" : " <" + part.value + ">";
  return text;
}

TEST(Record, BoxesCountsAndQuestions) {
  const Record record = parse(R"({"image":"a.jpg","width":40,"height":30,"boxes":[{"box":[1,2,3.5,4],"class":"helmet"}],
    "count":{"helmet":1,"head":0},"qa":[{"q":"How many?","a":"1"}],"license":"CC"})");
  EXPECT_EQ(record.image, "dir/a.jpg");
  EXPECT_EQ(record.width, 40);
  ASSERT_TRUE(record.boxes.has_value());
  EXPECT_EQ(record.boxes->at(0).label, "helmet");
  EXPECT_EQ(record.boxes->at(0).x1, 3.5f);
  EXPECT_EQ(record.count.at("head"), 0);
  EXPECT_EQ(record.questions.at(0).answer, "1");
  EXPECT_EQ(record.ignored, std::vector<std::string>{"license"});
}

TEST(Record, TheRecordingIsTheFirstOfItsMediaUnlessThereIsAPicture) {
  const Record dog = parse(R"({"audio":"a.wav","class":"dog"})");
  ASSERT_NE(recording_of(dog), nullptr);
  EXPECT_EQ(recording_of(dog)->value, "dir/a.wav");
  EXPECT_EQ(field_name(recording_of(dog)->kind), "audio");
  const Record walk = parse(R"({"imu":["b.npy","c.npy"],"class":"walking"})");
  ASSERT_NE(recording_of(walk), nullptr);
  EXPECT_EQ(recording_of(walk)->value, "dir/b.npy");
  EXPECT_EQ(field_name(recording_of(walk)->kind), "imu");
  EXPECT_EQ(recording_of(parse(R"({"image":"a.jpg","audio":"b.wav"})")), nullptr);
  EXPECT_EQ(recording_of(parse(R"({"text":"words"})")), nullptr);
  const Record room = parse(R"({"depth":"d.png","depth_unit":"m","class":"kitchen"})");
  ASSERT_NE(recording_of(room), nullptr);
  EXPECT_EQ(recording_of(room)->kind, PartKind::depth);
  EXPECT_EQ(room.depth_unit_m, 1.0);
  EXPECT_FALSE(parse(R"({"depth":"d.png"})").depth_unit_m.has_value());
  EXPECT_EQ(recording_of(parse(R"({"image":"a.jpg","depth":"d.png"})")), nullptr) << "there is a picture to look at";
}

TEST(Record, EmptyBoxesMeanNothingThereOrNotMarked) {
  EXPECT_TRUE(parse(R"({"image":"a","boxes":[],"count":{"head":0}})").boxes.has_value());
  EXPECT_FALSE(parse(R"({"image":"a","boxes":[],"count":{"head":2}})").boxes.has_value());
  EXPECT_FALSE(parse(R"({"image":"a"})").boxes.has_value());
}

TEST(Record, ClassesFromWordsOrNumbers) {
  EXPECT_EQ(parse(R"({"image":"a","class":"gear"})").label, "gear");
  EXPECT_EQ(parse(R"({"image":"a","label":"gear"})").label, "gear");
  EXPECT_EQ(parse(R"({"image":"a","label":5,"text":"five"})").label, "five");
  const Record receipt = parse(R"({"image":"a","text":"TOTAL 2.97"})");
  EXPECT_EQ(receipt.label, "");
  EXPECT_EQ(receipt.transcript, "TOTAL 2.97");
}

TEST(Record, StatementsAreAskedOnce) {
  const Record record = parse(R"({"image":"a","sentence":"It is red.","label":false,
    "qa":[{"q":"Is this statement true? It is red.","a":"no"},{"q":"How many?","a":"2"}]})");
  EXPECT_EQ(record.statement->sentence, "It is red.");
  EXPECT_FALSE(record.statement->truth);
  EXPECT_EQ(record.questions.size(), 1u);
}

TEST(Record, OtherSenses) {
  const Record sound = parse(R"({"audio":"a.flac","label":3,"text":"three"})");
  EXPECT_EQ(sound.image, "");
  EXPECT_EQ(sound.media.at(0).kind, PartKind::audio);
  EXPECT_EQ(sound.transcript, "three");
  EXPECT_EQ(sound.text, "");
  const Record clip = parse(R"({"frames":["0.jpg","1.jpg"],"caption":"A hand.","qa":[{"q":"Motion?","a":"yes"}]})");
  EXPECT_EQ(clip.media.size(), 2u);
  EXPECT_EQ(clip.media.at(1).value, "dir/1.jpg");
  EXPECT_EQ(clip.frames, (std::vector<std::string>{"dir/0.jpg", "dir/1.jpg"}));
  ASSERT_NE(recording_of(clip), nullptr);
  EXPECT_EQ(recording_of(clip)->kind, PartKind::video);
  EXPECT_TRUE(clip.traits.empty());
  EXPECT_EQ(parse(R"({"frames":["0.jpg"],"motion":true})").traits, std::vector<std::string>{"motion"});
  EXPECT_EQ(parse(R"({"frames":["0.jpg"],"motion":false})").traits, std::vector<std::string>{"no motion"});
  const Record unsure = parse(R"({"frames":["0.jpg"],"motion":null})");
  EXPECT_TRUE(unsure.traits.empty());
  EXPECT_TRUE(unsure.ignored.empty());
  EXPECT_EQ(parse(R"({"frames":["0.jpg"],"motion":"fast"})").ignored, std::vector<std::string>{"motion"});
  EXPECT_TRUE(parse(R"({"video":"a.mp4"})").frames.empty());
  EXPECT_EQ(parse(R"({"thermal":"t.jpg"})").picture_kind, PartKind::thermal);
  EXPECT_EQ(parse(R"({"thermal":"t.jpg","image":"rgb.jpg"})").picture_kind, PartKind::image);
  EXPECT_EQ(parse(R"({"thermal":"t.jpg"})").image, "dir/t.jpg");
  EXPECT_EQ(parse(R"({"thermal":"t.jpg","image":"rgb.jpg"})").image, "dir/rgb.jpg");
  EXPECT_EQ(parse(R"({"imu":"x.npy","class":"walking"})").media.at(0).kind, PartKind::imu);
}

TEST(Record, TextInstructionsAndChoices) {
  EXPECT_EQ(parse(R"({"text":"Once"})").text, "Once");
  EXPECT_EQ(parse(R"({"instruction":"Say hi","response":"hi"})").questions.at(0).answer, "hi");
  EXPECT_EQ(parse(R"({"instruction":"Add","input":"1 2","output":"3"})").questions.at(0).question, "Add\n1 2");
  EXPECT_EQ(parse(R"({"question":"1+1?","solution":"1+1=2","answer":"2"})").questions.at(0).answer, "1+1=2");
  const Record choice =
      parse(R"({"id":"7","question":"The sun","choices":["a dog","a star"],"label":1,"answer":"a star"})");
  EXPECT_EQ(choice.questions.at(0).question, "The sun\nA. a dog\nB. a star");
  EXPECT_EQ(choice.questions.at(0).answer, "a star");
}

TEST(Record, Llava) {
  const Record record = parse(R"({"id":"1","image":["a.jpg","/b.jpg"],"conversations":[
    {"from":"human","value":"<image>\nLeft or\n<image>right?"},{"from":"gpt","value":"left"}]})");
  ASSERT_EQ(record.messages.size(), 2u);
  EXPECT_EQ(show(record.messages[0]), "user: <dir/a.jpg> 'Left or' </b.jpg> 'right?'");
  EXPECT_EQ(show(record.messages[1]), "assistant: 'left'");
  EXPECT_TRUE(record.ignored.empty());
  const Record unmarked = parse(R"({"image":"a.jpg","conversations":[{"from":"system","value":"Be short."},
    {"from":"human","value":"What?"},{"from":"gpt","value":"a cat"}]})");
  EXPECT_EQ(show(unmarked.messages[1]), "user: <dir/a.jpg> 'What?'");
  EXPECT_EQ(
      parse(R"({"conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Hello"}]})").messages.size(), 2u);
}

TEST(Record, Messages) {
  const Record record =
      parse(R"({"messages":[{"role":"user","content":[{"type":"image","image":"a.png"},{"type":"text","text":"What?"},
    {"type":"image_url","image_url":{"url":"b.png"}},{"type":"audio","audio":"c.flac"}]},{"role":"assistant","content":"a cat"}]})");
  EXPECT_EQ(show(record.messages[0]), "user: <dir/a.png> 'What?' <dir/b.png> <dir/c.flac>");
  EXPECT_EQ(record.messages[0].parts[3].kind, PartKind::audio);
  const Record swift = parse(
      R"({"images":["a.png"],"messages":[{"role":"user","content":"<image>What?"},{"role":"assistant","content":"x"}]})");
  EXPECT_EQ(show(swift.messages[0]), "user: <dir/a.png> 'What?'");
}

TEST(Record, FaultsNameTheField) {
  const struct {
    const char *json, *part;
  } cases[] = {
      {"[]", "a record is array"},
      {"{}", "without media"},
      {R"({"image":3})", "\"image\" is number"},
      {R"({"image":""})", "empty media path"},
      {R"({"image":"http://x/y.jpg"})", "not URLs"},
      {R"({"image":"a","width":"40"})", "\"width\""},
      {R"({"image":"a","height":0})", "\"height\""},
      {R"({"image":"a","width":99999999999})", "\"width\""},
      {R"({"image":"a","class":""})", "empty \"class\""},
      {R"({"image":"a","boxes":{}})", "\"boxes\" is object"},
      {R"({"image":"a","boxes":[{"box":[1,2,3,4]}]})", "without \"class\""},
      {R"({"image":"a","boxes":[{"box":[1,2,3],"class":"x"}]})", "[x0, y0, x1, y1]"},
      {R"({"image":"a","boxes":[{"box":[1,2,null,4],"class":"x"}]})", "no number"},
      {R"({"image":"a","boxes":[{"box":[1,2,1e60,4],"class":"x"}]})", "no number"},
      {R"({"image":"a","boxes":[{"box":[3,2,1,4],"class":"x"}]})", "comes first"},
      {R"({"image":"a","boxes":[7]})", "a box without"},
      {R"({"image":"a","count":[1]})", "\"count\" is array"},
      {R"({"image":"a","count":{"x":-1}})", "count of \"x\""},
      {R"({"image":"a","count":{"x":1.5}})", "count of \"x\""},
      {R"({"image":"a","qa":{}})", "\"qa\" is object"},
      {R"({"image":"a","qa":[{"q":"x"}]})", "without \"a\""},
      {R"({"image":"a","qa":[{"q":"x","a":" "}]})", "empty \"a\""},
      {R"({"image":"a","qa":[{"q":"","a":"x"}]})", "empty \"q\""},
      {R"({"image":"a","qa":["x"]})", "without \"q\""},
      {R"({"image":"a","captions":"x"})", "\"captions\" is string"},
      {R"({"image":"a","sentence":"x"})", "true or false"},
      {R"({"image":"a","sentence":"x","label":1})", "true or false"},
      {R"({"text":""})", "empty \"text\""},
      {R"({"instruction":"x"})", "without \"response\""},
      {R"({"instruction":"x","response":"\n"})", "empty \"response\""},
      {R"({"question":"x"})", "without \"answer\""},
      {R"({"question":"x","answer":"a","choices":[]})", "0 choices"},
      {R"({"question":"x","answer":"a","choices":["a","b"],"label":2})", "for 2 choices"},
      {R"({"question":"x","answer":"a","choices":["a","b"],"label":1})", "is not choice 1"},
      {R"({"conversations":[]})", "no turns"},
      {R"({"conversations":{}})", "\"conversations\" is object"},
      {R"({"conversations":[{"from":"bot","value":"x"}]})", "from \"bot\""},
      {R"({"conversations":[{"from":"human"}]})", "without \"value\""},
      {R"({"conversations":[{"from":"human","value":"x"},{"from":"gpt","value":" "}]})", "an empty answer"},
      {R"({"conversations":[{"from":"human","value":"<image>x"}]})", "more <image> marks than pictures (0)"},
      {R"({"image":["a","b"],"conversations":[{"from":"human","value":"<image>x"}]})",
       "1 <image> marks for 2 pictures"},
      {R"({"messages":"x"})", "\"messages\" is string"},
      {R"({"messages":[{"role":"robot","content":"x"}]})", "role \"robot\""},
      {R"({"messages":[{"role":"user"}]})", "without \"content\""},
      {R"({"messages":[{"role":"user","content":3}]})", "neither"},
      {R"({"messages":[{"role":"user","content":[{"type":"smell","smell":"x"}]}]})", "type \"smell\""},
      {R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}]})",
       "not URLs"},
  };
  for (const auto& c : cases)
    EXPECT_NE(fault_of(c.json).find(c.part), std::string::npos) << c.json << "\n" << fault_of(c.json);
}

}  // namespace
}  // namespace sensorium::data

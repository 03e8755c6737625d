// Model repositories of a hub that speaks the protocol of Hugging Face's: a listing of files with sizes and hashes at
// HUB/api/models/OWNER/NAME/revision/REVISION?blobs=true, and the files at HUB/OWNER/NAME/resolve/REVISION/PATH.
// No hub is built in: its address comes from the user.
#pragma once

#include <string>

#include "hub/download.h"
#include "hub/plan.h"

namespace sensorium::hub {

struct Repository {
  std::string hub;       // "https://..", without a slash at the end
  std::string name;      // "owner/name"
  std::string revision;  // a branch, tag or commit

  std::string file_url(const std::string& path) const;
};

// Throws Error(usage): a hub that is no http or https address, a name that is not owner/name, a revision with characters
// that none has.
Repository make_repository(std::string hub, std::string name, std::string revision);

// Asks the hub (online) which files the model has, and takes those that this program reads: configurations, tokenizer,
// templates, and the weights in one format (safetensors where they are there, else PyTorch's). The addresses name the commit
// that the revision stands for, so that all files are of one state. Throws Error as download(), and invalid_data for a
// listing that is none.
FetchPlan list_repository(const Repository& repository, const std::string& licence, const DownloadOptions& options);

// The part of list_repository() that is not online. `listing` is the hub's answer.
FetchPlan plan_from_listing(const Repository& repository, const std::string& licence, const Json& listing);

}  // namespace sensorium::hub

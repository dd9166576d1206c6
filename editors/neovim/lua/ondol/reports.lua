--- Reports to the server what became of a suggestion: shown, accepted in part, refused.
local requests = require('ondol.requests')
local M = {}

--- How many dismissed texts are kept.
local RECENT = 10

local last_shown ---@type string|nil id of the item that was shown last

--- The id of an item, which is an argument of its command.
local function id_of(item)
  local arguments = type(item.command) == 'table' and item.command.arguments
  local first = type(arguments) == 'table' and arguments[1]
  return type(first) == 'table' and first.id or nil
end

--- Reports an item as shown, once per session.
---@param session ondol.Session
---@param item table
function M.shown(session, item)
  local id = id_of(item)
  if session.reported[id or item] then
    return
  end
  session.reported[id or item] = true
  last_shown = id
  requests.call(session.client, 'notify', 'textDocument/didShowCompletion', { item = item })
end

--- Reports that the user accepted the beginning of an item.
---@param session ondol.Session
---@param item table
---@param length integer UTF-16 units of the item's text that were accepted so far
function M.partly_accepted(session, item, length)
  local params = { item = item, acceptedLength = length }
  requests.call(session.client, 'notify', 'textDocument/didPartiallyAcceptCompletion', params)
end

--- The texts that the user dismissed, the newest first. They are kept in memory only.
M.recent = {} ---@type string[]

--- Remembers a dismissed text, once.
local function remember(text)
  M.recent = vim.tbl_filter(function(one)
    return one ~= text
  end, M.recent)
  table.insert(M.recent, 1, text)
  M.recent[RECENT + 1] = nil
end

--- Reports that the user refused the visible suggestion.
---@param session ondol.Session
function M.dismissed(session)
  local current = session.suggestions[session.index]
  if session.visible and current and type(current.item.insertText) == 'string' then
    remember(current.item.insertText)
  end
  local id = session.visible and current and id_of(current.item)
  if id then
    requests.execute(session.client, 'ondol.dismissed', { id })
  end
end

--- The id of the item that was shown last.
---@return string|nil
function M.last_shown()
  return last_shown
end

return M

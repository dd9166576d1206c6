--- An edit that the server proposes at another place: checks the server's answer, knows whether it is still valid, and
--- opens its file.
local document_sync = require('ondol.document_sync')
local edit_diff = require('ondol.edit_diff')
local api = vim.api
local M = {}

---@class ondol.EditOffer
---@field client vim.lsp.Client
---@field edit table as the server sent it
---@field id any
---@field uri string the document of its place
---@field source integer|nil buffer of the request, while its text matters
---@field source_tick integer
---@field buffer integer|nil buffer of its place, if it is loaded
---@field tick integer|nil changedtick for which it is valid
---@field hunk ondol.Hunk|nil
---@field reached boolean the user went to its place
---@field reported boolean
---@field drawn boolean

--- The loaded buffer of a document, or nil.
---@param uri string
---@return integer|nil
function M.buffer_of(uri)
  local name = vim.uri_to_fname(uri)
  for _, buffer in ipairs(api.nvim_list_bufs()) do
    if api.nvim_buf_is_loaded(buffer) and api.nvim_buf_get_name(buffer) == name then
      return buffer
    end
  end
end

--- The hunk of an edit in a loaded buffer, or nil with a reason.
local function hunk_in(buffer, edit, encoding)
  return edit_diff.hunk(edit, api.nvim_buf_get_lines(buffer, 0, -1, false), encoding)
end

--- Creates an offer from the server's answer, or returns nil with a reason.
---@param answer any
---@param client vim.lsp.Client
---@param source integer the buffer of the request
---@return ondol.EditOffer|nil
---@return string|nil reason
function M.from_answer(answer, client, source)
  local line = type(answer) == 'table' and vim.tbl_get(answer, 'range', 'start', 'line')
  if type(line) ~= 'number' or type(answer.text) ~= 'string' then
    return nil, 'it is incomplete'
  end
  local document = type(answer.textDocument) == 'table' and answer.textDocument or {}
  local uri = type(document.uri) == 'string' and document.uri or vim.uri_from_bufnr(source)
  local command = type(answer.command) == 'table' and answer.command or {}
  local edit = {
    client = client,
    edit = answer,
    id = type(command.arguments) == 'table' and command.arguments[1] or nil,
    uri = uri,
    source = source,
    source_tick = api.nvim_buf_get_changedtick(source),
    reached = false,
    reported = false,
    drawn = false,
  }
  local buffer = M.buffer_of(uri)
  if buffer then
    local version = document_sync.version(buffer)
    if version and type(document.version) == 'number' and document.version ~= version then
      return nil, 'it is for another version of the document'
    end
    local hunk, reason = hunk_in(buffer, answer, client.offset_encoding)
    if not hunk then
      return nil, reason
    end
    edit.buffer, edit.tick, edit.hunk = buffer, api.nvim_buf_get_changedtick(buffer), hunk
  end
  return edit
end

--- Whether the texts are still those for which the edit was computed.
---@param edit ondol.EditOffer
---@return boolean
function M.valid(edit)
  if edit.source and (not api.nvim_buf_is_loaded(edit.source)) then
    return false
  end
  if edit.source and api.nvim_buf_get_changedtick(edit.source) ~= edit.source_tick then
    return false
  end
  return edit.buffer == nil
    or (api.nvim_buf_is_loaded(edit.buffer) and api.nvim_buf_get_changedtick(edit.buffer) == edit.tick)
end

--- Whether two answers of the server propose the same edit.
---@param one ondol.EditOffer
---@param other ondol.EditOffer
---@return boolean
function M.same(one, other)
  return one.uri == other.uri and one.edit.text == other.edit.text and vim.deep_equal(one.edit.range, other.edit.range)
end

--- Whether the cursor is at the place of an edit.
---@param edit ondol.EditOffer
---@return boolean
function M.at_place(edit)
  if edit.buffer ~= api.nvim_get_current_buf() then
    return false
  end
  return edit_diff.at_place(edit.hunk, api.nvim_win_get_cursor(0)[1] - 1)
end

--- Loads the file of an edit, if it is not loaded. Returns why the edit does not fit it, or nil.
---@param edit ondol.EditOffer
---@return string|nil problem
function M.load(edit)
  if edit.buffer then
    return nil
  end
  local buffer = vim.fn.bufadd(vim.uri_to_fname(edit.uri))
  vim.fn.bufload(buffer)
  vim.bo[buffer].buflisted = true
  local hunk, reason = hunk_in(buffer, edit.edit, edit.client.offset_encoding)
  if hunk and vim.bo[buffer].modified then
    hunk, reason = nil, 'its file was changed'
  end
  if hunk then
    edit.buffer, edit.tick, edit.hunk = buffer, api.nvim_buf_get_changedtick(buffer), hunk
  end
  return reason
end

return M
